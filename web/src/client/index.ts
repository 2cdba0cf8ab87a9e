export { closeAction, type Door, type SocketLike } from "./connection";
export {
  createHttp,
  EaselError,
  roomUrl,
  ticketDoor,
  type Artwork,
  type ArtworkChange,
  type Batch,
  type Comparison,
  type GivenRole,
  type Http,
  type JobRecord,
  type Me,
  type Member,
  type NewShare,
  type Page,
  type PromptSpec,
  type Provider,
  type Render,
  type RenderQuery,
  type RunEvent,
  type ShareLink,
  type StartRun,
  type UploadTarget,
  type Usage,
  type Version,
  type VersionDocument,
  type Workflow,
  type WorkflowSummary,
} from "./http";
export { apply, EMPTY_DOCUMENT, keepIdentity, LOCAL_FIELDS, withoutLocalFields } from "./ops";
export { newId } from "./id";
export { openOutbox } from "./browserOutbox";
export { MemoryShelf, type Outbox, type OutboxChange, type SavedPush } from "./outbox";
export { isBag, isSame, toPointer } from "./pointer";
export type { Peers } from "./presence";
export { Room, type RoomOptions } from "./room";
export type { ConnectionState, RoomState } from "./roomState";
export type { Calls } from "./schema";
export type { GetToken } from "./tokens";
export type * from "./types";

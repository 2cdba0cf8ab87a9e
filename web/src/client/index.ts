export { closeAction, type SocketLike } from "./connection";
export {
  createHttp,
  EaselError,
  roomUrl,
  type Http,
  type JobRecord,
  type Me,
  type Page,
  type PromptSpec,
  type StartRun,
  type Workflow,
  type WorkflowSummary,
} from "./http";
export { apply, EMPTY_DOCUMENT, keepIdentity, parentsFirst, withoutLocalFields } from "./ops";
export { isSame, toPointer } from "./pointer";
export type { Peers } from "./presence";
export { Room, type ConnectionState, type RoomOptions, type RoomState } from "./room";
export type * from "./types";

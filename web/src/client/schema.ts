/** Made by `make types` from the server's OpenAPI document and protocol. Change those, not this. */

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

export interface AccessEvent {
  number: number;
  at: string;
  kind: "role_given" | "role_taken" | "link_made" | "link_ended" | "link_followed" | "token_made" | "token_revoked";
  accountId: string | null;
  accountName: string | null;
  shareId: string | null;
  role: string | null;
  mayRun: boolean | null;
  byId: string | null;
  byName: string | null;
}

export interface Account {
  id: string;
  name: string;
  color: string;
  role: "owner" | "member" | "guest";
  createdAt: string;
}

export interface Add {
  op: "add";
  kind: "edge" | "node";
  record: Record<string, unknown>;
  index?: number | null;
}

export interface AppUser {
  userId: string;
  name: string;
  role: "editor" | "viewer";
  color?: string | null;
  mayRun?: boolean;
  expiresInS?: number;
}

export interface Artwork {
  id: string;
  userId: string;
  slug: string;
  title: string;
  description: string | null;
  materials: string | null;
  dimensions: string | null;
  createdDate: string | null;
  category: string;
  tags: string[];
  originalUrl: string;
  displayUrl: string;
  thumbnailUrl: string;
  iconUrl: string;
  status: "active" | "trashed";
  isFeatured: boolean;
  createdAt: string;
  updatedAt: string;
  thumbnailBlur: string | null;
  displayBlur: string | null;
}

export interface Author {
  userId: string;
  origin: "job" | "rest" | "restore" | "user";
  clientId?: string | null;
  clientSeq?: number | null;
}

export interface Batch {
  batchId: string;
  kind: "runs" | "import";
  status: "running" | "completed" | "failed";
  concurrency: number;
  counts: Record<string, number>;
  live: BatchItem[];
  results: BatchItem[];
  errors: BatchItem[];
  createdAt: string;
  finishedAt: string | null;
  cancelledAt: string | null;
}

export interface BatchItem {
  index: number;
  status: "pending" | "running" | "completed" | "skipped" | "failed" | "cancelled";
  jobId?: string | null;
  renderId?: string | null;
  workflowId?: string | null;
  nodeId?: string | null;
  url?: string | null;
  designId?: string | null;
  imageUrl?: string | null;
  images?: string[];
  code?: string | null;
  detail?: string | null;
}

export interface Camera {
  x: number;
  y: number;
  zoom: number;
}

export interface Capabilities {
  sizes: string[];
  aspectRatios: string[];
  qualities: string[];
  minSidePx: number;
  maxSidePx: number;
  maxImages: number;
  seed: boolean;
  negativePrompt: boolean;
  previousImage: boolean;
}

export interface ChangeArtwork {
  title?: string;
  description?: string | null;
  materials?: string | null;
  dimensions?: string | null;
  createdDate?: string | null;
  category?: string | null;
  tags?: string[] | null;
  isFeatured?: boolean;
}

export interface ChangeMe {
  name?: string | null;
  color?: string | null;
}

export interface ChangeRender {
  isFavorite: boolean;
}

export interface ChangeRenders {
  ids: string[];
  isFavorite?: boolean | null;
  isDeleted?: boolean | null;
}

export interface ChangeWorkflow {
  name?: string;
  viewport?: Record<string, unknown> | null;
}

export interface Changed {
  id: string;
  keys: string[];
}

export interface ChangedRenders {
  ids: string[];
}

export interface Comparison {
  nodes: Delta;
  edges: Delta;
  viewport: boolean;
}

export interface Cost {
  isUnknown: boolean;
  estimatedUsd?: number | null;
  actualUsd?: number | null;
}

export interface Delta {
  added: string[];
  removed: string[];
  changed: Changed[];
}

/** A React Flow edge. Keys that are not listed here are kept. */
export interface Edge {
  id: string;
  source: string;
  target: string;
  sourceHandle?: string | null;
  targetHandle?: string | null;
  type?: string;
  data?: Record<string, unknown>;
  [key: string]: unknown;
}

export interface ErrorMessage {
  code: string;
  detail: string;
  type: "error";
}

export interface Failure {
  code: string;
  detail: string;
  retryable: boolean;
  charged: "yes" | "no" | "unknown";
  provider?: string | null;
  providerCode?: string | null;
  providerMessage?: string | null;
  providerRequestId?: string | null;
  httpStatus?: number | null;
  retryAfterS?: number | null;
}

export interface FailureWebhook {
  url: string | null;
  createdAt: string | null;
}

export interface Frame {
  left: string[];
  presence: Record<string, Shown>;
  runs: RunNews[];
  type: "frame";
}

export interface Health {
  status: string;
  services: Record<string, string>;
  version: string;
  reasons?: Record<string, string>;
}

export interface Hello {
  type: "hello";
  protocol: number;
  clientId: string;
  resume?: ResumePoint | null;
}

export interface ImageJobRecord {
  jobId: string;
  nodeId: string;
  workflowId: string;
  provider: string;
  model: string;
  status: "pending" | "running" | "completed" | "failed" | "cancelled";
  startedAt: string;
  attempt: number;
  finishedAt?: string | null;
  imageUrl?: string | null;
  images?: string[];
  progress?: number | null;
  waitsFor?: string | null;
  inLine?: InLine | null;
  metadata?: Record<string, unknown> | null;
  cost?: Cost | null;
  error?: Failure | null;
  replayedAs?: string | null;
  lateImages?: string[];
  batchId?: string | null;
}

export interface ImportItem {
  url: string;
  designId?: string | number | null;
  nodeId?: string | null;
  workflowId?: string | null;
}

/** The place of a run that waits. */
export interface InLine {
  place: number | null;
  text: string;
}

export interface Invite {
  role: "owner" | "editor" | "viewer";
  name: string;
}

export interface InviteLink {
  accountId: string;
  url: string;
}

export interface Link {
  url: string;
  expiresAt: string;
}

export interface ListedModel {
  id: string;
  label: string;
  capabilities: Capabilities;
  price: number | null;
  asOf?: string | null;
  retiredAt?: string | null;
  replacement?: string | null;
}

export interface ListedProvider {
  id: string;
  name: string;
  configured: boolean;
  models: ListedModel[];
  missingSetting?: string | null;
}

export interface MakeVersion {
  name?: string | null;
}

export interface Member {
  accountId: string;
  name: string;
  color: string;
  role: "owner" | "editor" | "viewer";
  mayRun: boolean;
}

export interface NameVersion {
  name: string;
}

export interface NewArtwork {
  title?: string | null;
  originalKey?: string | null;
  description?: string | null;
  materials?: string | null;
  dimensions?: string | null;
  createdDate?: string | null;
  category?: string | null;
  tags?: string[] | null;
  workflowId?: string | null;
  nodeId?: string | null;
}

export interface NewFailureWebhook {
  url: string;
  secret: string;
  createdAt: string;
}

export interface NewLink {
  /** `/objects/…`, or its key alone. */
  url: string;
  expiresInS?: number;
}

export interface NewShare {
  role: "editor" | "viewer";
  mayRun?: boolean;
  expiresAt?: string | null;
}

export interface NewToken {
  token: string;
  expiresAt: string;
}

export interface NewUpload {
  filename: string;
  contentType?: string;
  sizeBytes?: number | null;
}

/** A name, or a React Flow `toObject()` of v10 to v12 as it is; `{data: …}`, `{flow: …}`, `{graph: …}` and `{dsl: {graph: …}}` around one are opened. */
export interface NewWorkflow {
  name?: string;
  nodes?: Node[];
  edges?: Edge[];
  /** `{x, y, zoom}`; what is no viewport is left out, with a warning. */
  viewport?: unknown;
  [key: string]: unknown;
}

export interface News {
  transactions: Transaction[];
  type: "ops";
}

/** A React Flow node. Keys that are not listed here are kept. */
export interface Node {
  id: string;
  /** `image_generation` is the built-in one. */
  type?: string;
  position: { x: number; y: number; };
  data?: Record<string, unknown>;
  parentId?: string;
  /** A number, to React Flow; kept as it came, as every key of a node is. */
  width?: unknown;
  /** As `width`. */
  height?: unknown;
  [key: string]: unknown;
}

export interface NotReplayed {
  jobId: string;
  code: string;
  detail: string;
}

/** A word on something that is no change of the document. */
export interface Notice {
  code: string;
  detail?: string;
  type: "notice";
}

export interface NoticeRecord {
  id: string;
  jobId: string;
  workflowId: string;
  code: string;
  state: "waiting" | "delivered" | "dead";
  createdAt: string;
  attempts: number;
  nextAttemptAt: string | null;
  deliveredAt: string | null;
  reason: string | null;
}

export interface OneArtwork {
  data: Artwork;
}

export interface Origin {
  prompt: string;
  seed: number | null;
  provider: string;
  model: string;
  parentId: string | null;
}

export interface Ping {
  type: "ping";
  t?: unknown;
}

export interface Point {
  x: number;
  y: number;
}

export interface Pong {
  seq: number;
  t: unknown;
  type: "pong";
}

export interface Presence {
  type: "presence";
  set: PresenceChange;
}

/** Keys that are absent stay as they are; null removes one. */
export interface PresenceChange {
  cursor?: Point | null;
  drag?: Record<string, Point> | null;
  editing?: string | null;
  selection?: string[] | null;
  viewport?: Camera | null;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  /** A sentence for the person. */
  detail: string;
  /** Stable, for programs. */
  code: string;
  instance: string;
  /** The title again. */
  error: string;
  /** The detail again. */
  message: string;
  [key: string]: unknown;
}

export interface PromptSpec {
  basePrompt: string;
  styleModifiers?: string[];
  size?: string | null;
  aspectRatio?: string | null;
  quality?: string | null;
  seed?: number | null;
  negativePrompt?: string | null;
  previousImage?: string | null;
  n?: number;
}

export interface Push {
  type: "push";
  clientSeq: number;
  ops: (Add | Update | Remove | Restore | SetWorkflow)[];
  undoOf?: number | null;
}

export interface PushOps {
  /** One per tab or program. */
  clientId: string;
  /** 1, 2, 3, … per clientId. */
  clientSeq: number;
  ops: (Record<string, unknown>)[];
  /** The seq that `ops` undo. */
  undoOf?: number | null;
}

export interface Remove {
  op: "remove";
  kind: "edge" | "node";
  ids: string[];
}

export interface Render {
  id: string;
  jobId: string | null;
  workflowId: string | null;
  nodeId: string | null;
  imageUrl: string;
  width: number;
  height: number;
  contentType: string;
  variants: RenderVariant[];
  origin: Origin;
  createdAt: string;
  isFavorite: boolean;
  deletedAt: string | null;
}

export interface RenderVariant {
  kind: "thumbnail" | "icon" | "display";
  url: string;
  width: number;
  height: number;
  contentType: string;
  blur: string | null;
}

/** A React Flow edge. Keys that are not listed here are kept. */
export interface ReplacedEdge {
  id?: string;
  source: string;
  target: string;
  sourceHandle?: string | null;
  targetHandle?: string | null;
  type?: string;
  data?: Record<string, unknown>;
  [key: string]: unknown;
}

/** A React Flow node. Keys that are not listed here are kept. */
export interface ReplacedNode {
  id?: string;
  /** `image_generation` is the built-in one. */
  type?: string;
  position: { x: number; y: number; };
  data?: Record<string, unknown>;
  parentId?: string;
  /** A number, to React Flow; kept as it came, as every key of a node is. */
  width?: unknown;
  /** As `width`. */
  height?: unknown;
  [key: string]: unknown;
}

export interface ReplayRuns {
  jobIds: string[];
}

export interface Replayed {
  jobId: string;
  replayedAs: string;
}

export interface Replays {
  replayed: Replayed[];
  refused: NotReplayed[];
}

/** Bring back what transaction `seq` removed. */
export interface Restore {
  op: "restore";
  seq: number;
}

export interface Restored {
  version: number;
  seq: number;
  before: number | null;
}

/** The answer to a push. `commit` and `rebase` mean: stored. */
export interface Result {
  clientSeq: number | null;
  seq: number;
  outcome: "commit" | "rebase" | "reject";
  ops?: (Add | Update | Remove | Restore | SetWorkflow)[] | null;
  error?: ResultError | null;
  lastClientSeq?: number | null;
}

export interface ResultError {
  code: string;
  detail: string;
  opIndex?: number | null;
}

/** A Result, with its type beside it. */
export interface ResultMessage {
  clientSeq: number | null;
  error?: ResultError;
  lastClientSeq?: number;
  ops?: unknown;
  outcome: "commit" | "rebase" | "reject";
  seq: number;
  type: "result";
}

export interface ResumePoint {
  epoch: string;
  seq: number;
  ackedClientSeq?: number;
}

export interface Resync {
  type: "resync";
}

export interface RoleMessage {
  role: "editor" | "owner" | "viewer";
  type: "role";
}

/** The latest of a run; what is absent was not said. */
export interface RunNews {
  inLine?: InLine | null;
  jobId: string;
  message?: string | null;
  nodeId: string;
  previewUrl?: string | null;
  progress?: number | null;
  status: "cancelled" | "completed" | "failed" | "pending" | "running";
  step?: number | null;
  steps?: number | null;
}

export interface SetFailureWebhook {
  url: string;
}

export interface SetRole {
  role: "owner" | "editor" | "viewer";
}

export interface SetWorkflow {
  op: "workflow";
  set: Record<string, unknown>;
}

export interface ShareLink {
  id: string;
  url: string;
  role: "editor" | "viewer";
  mayRun: boolean;
  guests: number;
  createdAt: string;
  expiresAt: string | null;
}

/** What everybody sees of a session; in a frame what has changed of it, and null is what it shows no more. */
export interface Shown {
  cursor?: Point | null;
  drag?: Record<string, Point> | null;
  editing?: string | null;
  selection?: string[] | null;
  user?: User;
  viewport?: Camera | null;
}

export interface SnapshotPart {
  edges: (Record<string, unknown>)[];
  nodes: (Record<string, unknown>)[];
  part: number;
  parts: number;
  type: "snapshot";
}

export interface StartBatch {
  runs: StartImageJobRequest[];
  concurrency?: number | null;
}

export interface StartImageJobRequest {
  nodeId: string;
  workflowId: string;
  promptSpec: PromptSpec;
  provider: string;
  model?: string;
  replace?: boolean;
  webhookUrl?: string | null;
  metadata?: Record<string, unknown> | null;
}

export interface StartImport {
  items: ImportItem[];
  concurrency?: number;
}

export interface StartedBatch {
  batchId: string;
  runs: ImageJobRecord[];
}

export interface StartedImport {
  batchId: string;
}

export interface Ticket {
  ticket: string;
  expiresAt: string;
}

/** A committed push: its ops are the effective ones, what every replica does. */
export interface Transaction {
  seq: number;
  by: Author;
  at: string;
  ops: (Add | Update | Remove | Restore | SetWorkflow)[];
  undoOf?: number | null;
}

/** `set` and `unset` name registers by JSON pointer; `parentId` says in which parent `/position` was computed. */
export interface Update {
  op: "update";
  kind: "edge" | "node";
  id: string;
  set?: Record<string, unknown>;
  unset?: string[];
  parentId?: string | null;
}

export interface UploadUrl {
  uploadUrl: string;
  method: string;
  headers: Record<string, string>;
  key: string;
  expiresAt: string;
}

export interface Usage {
  runs: number;
  images: number;
  cost: Cost;
  unknownRuns: number;
  provider?: string | null;
  model?: string | null;
  day?: string | null;
}

export interface User {
  color: string;
  id: string;
  name: string;
}

export interface Version {
  version: number;
  name: string | null;
  kind: "auto" | "named" | "restore";
  seq: number;
  author: VersionAuthor | null;
  createdAt: string;
  nodeCount: number;
  edgeCount: number;
}

export interface VersionAuthor {
  id: string;
  name: string;
  color: string;
}

export interface VersionDocument {
  version: number;
  name: string | null;
  kind: "auto" | "named" | "restore";
  seq: number;
  author: VersionAuthor | null;
  createdAt: string;
  nodeCount: number;
  edgeCount: number;
  nodes: Node[];
  edges: Edge[];
  viewport: unknown;
}

export type Viewport = { x: number; y: number; zoom: number; } | null;

export interface Welcome {
  epoch: string;
  lastClientSeq: number;
  limits: Record<string, number>;
  mayRun: boolean;
  mode: "resume" | "snapshot";
  name: string;
  presence: Record<string, Shown>;
  protocol: number;
  results: Result[];
  role: "editor" | "owner" | "viewer";
  runs: RunNews[];
  seq: number;
  sessionId: string;
  type: "welcome";
  viewport: unknown;
}

export interface Workflow {
  id: string;
  name: string;
  role: "owner" | "editor" | "viewer";
  epoch: string;
  seq: number;
  nodes: Node[];
  edges: Edge[];
  viewport: unknown;
  createdAt: string;
  updatedAt: string;
  warnings?: string[];
}

export interface WorkflowSummary {
  id: string;
  name: string;
  role: "owner" | "editor" | "viewer";
  epoch: string;
  seq: number;
  createdAt: string;
  updatedAt: string;
}

export type Op = Add | Update | Remove | Restore | SetWorkflow;

export type ClientMessage = Hello | Push | Presence | Resync | Ping;

export type ServerMessage = Welcome | SnapshotPart | News | ResultMessage | Frame | RoleMessage | Notice | Pong | ErrorMessage;

/** By method and path; `{…}` stands for what is put into the address. */
export interface Calls {
  "GET /api/artworks": { query: { q?: string | null; category?: string | null; tags?: string | null; trash?: boolean; limit?: number; cursor?: string | null; }; body: undefined; answer: Page<Artwork> };
  "POST /api/artworks": { query: Record<never, never>; body: NewArtwork; answer: OneArtwork };
  "POST /api/artworks/upload-url": { query: Record<never, never>; body: NewUpload; answer: UploadUrl };
  "GET /api/artworks/{artwork_id}": { query: Record<never, never>; body: undefined; answer: OneArtwork };
  "DELETE /api/artworks/{artwork_id}": { query: Record<never, never>; body: undefined; answer: undefined };
  "PATCH /api/artworks/{artwork_id}": { query: Record<never, never>; body: ChangeArtwork; answer: OneArtwork };
  "POST /api/artworks/{artwork_id}/restore": { query: Record<never, never>; body: undefined; answer: OneArtwork };
  "GET /api/batches/{batch_id}": { query: Record<never, never>; body: undefined; answer: Batch };
  "POST /api/batches/{batch_id}/cancel": { query: Record<never, never>; body: undefined; answer: Batch };
  "POST /api/logout": { query: Record<never, never>; body: undefined; answer: undefined };
  "POST /api/logout-everywhere": { query: Record<never, never>; body: undefined; answer: undefined };
  "GET /api/me": { query: Record<never, never>; body: undefined; answer: Account };
  "PATCH /api/me": { query: Record<never, never>; body: ChangeMe; answer: Account };
  "GET /api/me/failure-webhook": { query: Record<never, never>; body: undefined; answer: FailureWebhook };
  "PUT /api/me/failure-webhook": { query: Record<never, never>; body: SetFailureWebhook; answer: NewFailureWebhook };
  "DELETE /api/me/failure-webhook": { query: Record<never, never>; body: undefined; answer: undefined };
  "GET /api/notices": { query: { state?: "waiting" | "delivered" | "dead" | null; limit?: number; cursor?: string | null; }; body: undefined; answer: Page<NoticeRecord> };
  "POST /api/notices/{notice_id}/replay": { query: Record<never, never>; body: undefined; answer: NoticeRecord };
  "POST /api/objects/links": { query: Record<never, never>; body: NewLink; answer: Link };
  "GET /api/providers": { query: Record<never, never>; body: undefined; answer: ListedProvider[] };
  "GET /api/renders": { query: { workflowId?: string | null; provider?: string | null; model?: string | null; parentId?: string | null; favorite?: boolean | null; q?: string | null; deleted?: boolean; limit?: number; cursor?: string | null; }; body: undefined; answer: Page<Render> };
  "PATCH /api/renders": { query: Record<never, never>; body: ChangeRenders; answer: ChangedRenders };
  "POST /api/renders/import": { query: Record<never, never>; body: StartImport; answer: StartedImport };
  "GET /api/renders/{render_id}": { query: Record<never, never>; body: undefined; answer: Render };
  "DELETE /api/renders/{render_id}": { query: Record<never, never>; body: undefined; answer: undefined };
  "PATCH /api/renders/{render_id}": { query: Record<never, never>; body: ChangeRender; answer: Render };
  "POST /api/renders/{render_id}/restore": { query: Record<never, never>; body: undefined; answer: Render };
  "GET /api/runs": { query: { workflowId?: string | null; nodeId?: string | null; status?: "pending" | "running" | "completed" | "failed" | "cancelled" | null; provider?: string | null; dead?: boolean | null; mine?: boolean | null; limit?: number; cursor?: string | null; }; body: undefined; answer: Page<ImageJobRecord> };
  "POST /api/runs": { query: Record<never, never>; body: StartImageJobRequest; answer: ImageJobRecord };
  "POST /api/runs/batch": { query: Record<never, never>; body: StartBatch; answer: StartedBatch };
  "POST /api/runs/replay": { query: Record<never, never>; body: ReplayRuns; answer: Replays };
  "GET /api/runs/{job_id}": { query: Record<never, never>; body: undefined; answer: ImageJobRecord };
  "POST /api/runs/{job_id}/cancel": { query: Record<never, never>; body: undefined; answer: ImageJobRecord };
  "POST /api/runs/{job_id}/dismiss": { query: Record<never, never>; body: undefined; answer: ImageJobRecord };
  "GET /api/runs/{job_id}/events": { query: { lastEventId?: string | null; }; body: undefined; answer: undefined };
  "GET /api/runs/{job_id}/preview": { query: Record<never, never>; body: undefined; answer: undefined };
  "POST /api/runs/{job_id}/retry": { query: Record<never, never>; body: undefined; answer: ImageJobRecord };
  "POST /api/tickets": { query: Record<never, never>; body: undefined; answer: Ticket };
  "GET /api/usage": { query: { groupBy?: string; }; body: undefined; answer: Usage[] };
  "GET /api/workflows": { query: { limit?: number; cursor?: string | null; trash?: boolean; }; body: undefined; answer: Page<WorkflowSummary> };
  "POST /api/workflows": { query: Record<never, never>; body: NewWorkflow; answer: Workflow };
  "GET /api/workflows/{workflow_id}": { query: Record<never, never>; body: undefined; answer: Workflow | null };
  "DELETE /api/workflows/{workflow_id}": { query: Record<never, never>; body: undefined; answer: undefined };
  "PATCH /api/workflows/{workflow_id}": { query: Record<never, never>; body: ChangeWorkflow; answer: Workflow };
  "GET /api/workflows/{workflow_id}/access": { query: { limit?: number; cursor?: string | null; }; body: undefined; answer: Page<AccessEvent> };
  "POST /api/workflows/{workflow_id}/duplicate": { query: Record<never, never>; body: undefined; answer: Workflow };
  "GET /api/workflows/{workflow_id}/edges": { query: { limit?: number; cursor?: string | null; }; body: undefined; answer: { items: Edge[]; nextCursor: string | null; } };
  "POST /api/workflows/{workflow_id}/edges": { query: Record<never, never>; body: Edge; answer: Edge };
  "GET /api/workflows/{workflow_id}/edges/{record_id}": { query: Record<never, never>; body: undefined; answer: Edge };
  "PUT /api/workflows/{workflow_id}/edges/{record_id}": { query: Record<never, never>; body: ReplacedEdge; answer: Edge };
  "DELETE /api/workflows/{workflow_id}/edges/{record_id}": { query: Record<never, never>; body: undefined; answer: undefined };
  "PATCH /api/workflows/{workflow_id}/edges/{record_id}": { query: Record<never, never>; body: Record<string, unknown>; answer: Edge };
  "GET /api/workflows/{workflow_id}/events": { query: { lastEventId?: string | null; }; body: undefined; answer: undefined };
  "POST /api/workflows/{workflow_id}/invites": { query: Record<never, never>; body: Invite; answer: InviteLink };
  "GET /api/workflows/{workflow_id}/members": { query: Record<never, never>; body: undefined; answer: Page<Member> };
  "PUT /api/workflows/{workflow_id}/members/{account_id}": { query: Record<never, never>; body: SetRole; answer: undefined };
  "DELETE /api/workflows/{workflow_id}/members/{account_id}": { query: Record<never, never>; body: undefined; answer: undefined };
  "GET /api/workflows/{workflow_id}/nodes": { query: { limit?: number; cursor?: string | null; }; body: undefined; answer: { items: Node[]; nextCursor: string | null; } };
  "POST /api/workflows/{workflow_id}/nodes": { query: Record<never, never>; body: Node; answer: Node };
  "GET /api/workflows/{workflow_id}/nodes/{record_id}": { query: Record<never, never>; body: undefined; answer: Node };
  "PUT /api/workflows/{workflow_id}/nodes/{record_id}": { query: Record<never, never>; body: ReplacedNode; answer: Node };
  "DELETE /api/workflows/{workflow_id}/nodes/{record_id}": { query: Record<never, never>; body: undefined; answer: undefined };
  "PATCH /api/workflows/{workflow_id}/nodes/{record_id}": { query: Record<never, never>; body: Record<string, unknown>; answer: Node };
  "GET /api/workflows/{workflow_id}/ops": { query: { since?: number; limit?: number; }; body: undefined; answer: Page<Transaction> };
  "POST /api/workflows/{workflow_id}/ops": { query: Record<never, never>; body: PushOps; answer: Result };
  "POST /api/workflows/{workflow_id}/restore": { query: Record<never, never>; body: undefined; answer: Workflow };
  "GET /api/workflows/{workflow_id}/shares": { query: Record<never, never>; body: undefined; answer: Page<ShareLink> };
  "POST /api/workflows/{workflow_id}/shares": { query: Record<never, never>; body: NewShare; answer: ShareLink };
  "DELETE /api/workflows/{workflow_id}/shares/{share_id}": { query: Record<never, never>; body: undefined; answer: undefined };
  "POST /api/workflows/{workflow_id}/tokens": { query: Record<never, never>; body: AppUser; answer: NewToken };
  "GET /api/workflows/{workflow_id}/versions": { query: { limit?: number; cursor?: string | null; }; body: undefined; answer: Page<Version> };
  "POST /api/workflows/{workflow_id}/versions": { query: Record<never, never>; body: MakeVersion | null; answer: Version };
  "GET /api/workflows/{workflow_id}/versions/{version}": { query: Record<never, never>; body: undefined; answer: VersionDocument };
  "DELETE /api/workflows/{workflow_id}/versions/{version}": { query: Record<never, never>; body: undefined; answer: undefined };
  "PATCH /api/workflows/{workflow_id}/versions/{version}": { query: Record<never, never>; body: NameVersion; answer: Version };
  "GET /api/workflows/{workflow_id}/versions/{version}/diff": { query: { to?: string; }; body: undefined; answer: Comparison };
  "POST /api/workflows/{workflow_id}/versions/{version}/restore": { query: Record<never, never>; body: undefined; answer: Restored };
}

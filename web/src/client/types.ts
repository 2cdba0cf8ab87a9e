/** The records and wire messages of Easel's protocol 1. Names are the server's; nothing here has behaviour. */

export interface XY {
  x: number;
  y: number;
}

export interface Viewport extends XY {
  zoom: number;
}

export type Role = "owner" | "editor" | "viewer";

export interface NodeRecord {
  id: string;
  position: XY;
  data: Record<string, unknown>;
  type?: string;
  parentId?: string | null;
  width?: number;
  height?: number;
  [key: string]: unknown;
}

export interface EdgeRecord {
  id: string;
  source: string;
  target: string;
  sourceHandle?: string | null;
  targetHandle?: string | null;
  type?: string;
  [key: string]: unknown;
}

export interface WorkflowFields {
  name?: string;
  viewport?: Viewport | null;
  [key: string]: unknown;
}

/** What a room shows: parents come before their children, untouched records keep their identity. */
export interface GraphDocument {
  workflow: WorkflowFields;
  nodes: readonly NodeRecord[];
  edges: readonly EdgeRecord[];
}

export interface UpdateOp {
  op: "update";
  kind: "node" | "edge";
  id: string;
  set?: Record<string, unknown>;
  unset?: string[];
  /** The parent in which `/position` was computed; null means the canvas itself. */
  parentId?: string | null;
}

export type Op =
  | { op: "add"; kind: "node"; record: NodeRecord; index?: number }
  | { op: "add"; kind: "edge"; record: EdgeRecord; index?: number }
  | UpdateOp
  | { op: "remove"; kind: "node" | "edge"; ids: string[] }
  | { op: "restore"; seq: number }
  | { op: "workflow"; set: Record<string, unknown> };

export interface Transaction {
  seq: number;
  by: { userId: string; clientId?: string | null; clientSeq?: number | null; origin: "user" | "rest" | "job" | "restore" };
  at: string;
  ops: Op[];
  undoOf?: number | null;
}

export interface PushError {
  code: string;
  detail: string;
  opIndex?: number | null;
}

export interface Result {
  clientSeq: number;
  seq: number;
  outcome: "commit" | "rebase" | "reject";
  ops?: Op[] | null;
  error?: PushError | null;
  lastClientSeq?: number | null;
}

export interface User {
  id: string;
  name: string;
  color: string;
}

/** What one session shows of itself; every key is optional and null on the wire removes it. */
export interface Presence {
  user?: User;
  cursor?: XY;
  selection?: string[];
  drag?: Record<string, XY>;
  /** The point of the canvas in the middle of the window, whatever its size, and the zoom. */
  viewport?: Viewport;
  /** The node whose text has the focus. */
  editing?: string;
}

export type PresencePatch = { [K in keyof Presence]?: Presence[K] | null };

export type RunStatus = "pending" | "running" | "completed" | "failed" | "cancelled";

/** The place of a run that waits for its turn. */
export interface InLine {
  /** 1: it is next. Null: more begin before it than are counted. */
  place: number | null;
  text: string;
}

export interface Run {
  jobId: string;
  nodeId: string;
  status: RunStatus;
  progress?: number | null;
  step?: number | null;
  steps?: number | null;
  message?: string | null;
  previewUrl?: string | null;
  /** Only while it waits, and only what was seen of the line. */
  inLine?: InLine | null;
}

export interface Resume {
  epoch: string;
  seq: number;
  ackedClientSeq: number;
}

export type ClientMessage =
  | { type: "hello"; protocol: 1; clientId: string; resume: Resume | null }
  | { type: "push"; clientSeq: number; ops: Op[]; undoOf?: number }
  | { type: "presence"; set: PresencePatch }
  | { type: "resync" }
  | { type: "ping"; t: number };

export interface Welcome {
  type: "welcome";
  protocol: number;
  sessionId: string;
  role: Role;
  mayRun?: boolean;
  epoch: string;
  seq: number;
  mode: "resume" | "snapshot";
  lastClientSeq: number;
  limits?: Record<string, number>;
  results?: Result[];
  presence?: Record<string, PresencePatch>;
  runs?: Run[];
  name?: string;
  viewport?: Viewport | null;
}

export interface SnapshotPart {
  type: "snapshot";
  part: number;
  parts: number;
  nodes: NodeRecord[];
  edges: EdgeRecord[];
}

export interface Frame {
  type: "frame";
  presence?: Record<string, PresencePatch>;
  left?: string[];
  runs?: Run[];
}

export type ServerMessage =
  | Welcome
  | SnapshotPart
  | Frame
  | { type: "ops"; transactions: Transaction[] }
  | (Result & { type: "result" })
  | { type: "role"; role: Role }
  | { type: "notice"; code: string; detail?: string }
  | { type: "pong"; t: number; seq: number }
  | { type: "error"; code: string; detail: string };

/** What a room shows of itself: one immutable value, another one after each change. */
import { mergePeers, type Peers } from "./presence";
import type { Frame, GraphDocument, Role, Run } from "./types";

export type ConnectionState = "connecting" | "live" | "reconnecting" | "signed-out" | "stopped";

export interface RoomState {
  document: GraphDocument;
  peers: Peers;
  /** The latest news of each node's run, by node id; the node's own data says how it ended. */
  runs: Readonly<Record<string, Run>>;
  connection: ConnectionState;
  closeCode: number | null;
  pendingCount: number;
  /** Whether what is pending survives a reload of the page. */
  isDurable: boolean;
  canUndo: boolean;
  canRedo: boolean;
  role: Role | null;
  /** Whether the person may spend the owner's provider money here. */
  mayRun: boolean;
  /** True from the first complete snapshot on. */
  isLoaded: boolean;
}

/** Before the first word of the server. */
export function unheard(document: GraphDocument, isDurable: boolean): RoomState {
  return {
    document,
    peers: {},
    runs: {},
    connection: "connecting",
    closeCode: null,
    pendingCount: 0,
    isDurable,
    canUndo: false,
    canRedo: false,
    role: null,
    mayRun: false,
    isLoaded: false,
  };
}

export function runsByNode(runs: readonly Run[]): Record<string, Run> {
  return Object.fromEntries(runs.map((run) => [run.nodeId, run]));
}

/** What a frame changes; one does not see oneself among the others. */
export function heard({ peers, runs }: RoomState, frame: Frame, ownSession: string | null): Pick<RoomState, "peers" | "runs"> {
  const left = [...(frame.left ?? []), ...(ownSession === null ? [] : [ownSession])];
  return {
    peers: frame.presence || frame.left ? mergePeers(peers, frame.presence, left) : peers,
    runs: frame.runs?.length ? { ...runs, ...runsByNode(frame.runs) } : runs,
  };
}

/**
 * Between React Flow and a room: the document becomes nodes and edges, React Flow's changes become pushes and
 * presence. Selection, measured sizes and gestures in progress stay on this screen.
 */
import {
  applyEdgeChanges,
  applyNodeChanges,
  type Connection,
  type Edge,
  type EdgeChange,
  type Node,
  type NodeChange,
  type NodeDimensionChange,
} from "@xyflow/react";
import { createStore, type StoreApi } from "zustand/vanilla";
import {
  isSame,
  type EdgeRecord,
  type NodeRecord,
  type Op,
  type Result,
  type Room,
  type RoomState,
  type UpdateOp,
  type XY,
} from "../client";
import { dragsOf, mergeEdges, mergeNodes, type Sources } from "./merge";

export interface CanvasState {
  nodes: Node[];
  edges: Edge[];
  room: RoomState;
}

const NUDGE_MS = 250; // arrow keys move five pixels a press; one op when the hand rests

export class Canvas {
  readonly store: StoreApi<CanvasState>;
  private readonly nodeSources: Sources = new Map();
  private readonly edgeSources = new Map<string, Edge>();
  /** Nodes whose place and size are this screen's until the gesture ends. */
  private readonly held = new Set<string>();
  private nudge: ReturnType<typeof setTimeout> | null = null;

  constructor(readonly room: Room) {
    this.store = createStore<CanvasState>(() => ({ nodes: [], edges: [], room: room.getState() }));
    room.subscribe(() => this.sync());
    this.sync();
  }

  readonly onNodesChange = (changes: NodeChange[]): void => {
    const local = changes.filter((change) => ["position", "dimensions", "select"].includes(change.type));
    if (local.length === 0) return; // removals come through onDelete, as one push
    this.store.setState((state) => ({ nodes: applyNodeChanges(local, state.nodes) }));
    if (local.some((change) => change.type === "select")) this.showSelection();
    this.followGesture(local);
  };

  readonly onEdgesChange = (changes: EdgeChange[]): void => {
    const local = changes.filter((change) => change.type === "select");
    if (local.length > 0) this.store.setState((state) => ({ edges: applyEdgeChanges(local, state.edges) }));
  };

  readonly onConnect = (connection: Connection): void => {
    const { source, target, sourceHandle, targetHandle } = connection;
    const ends = { source, target, ...(sourceHandle && { sourceHandle }), ...(targetHandle && { targetHandle }) };
    const isDrawn = this.room.getState().document.edges.some((edge) => hasEnds(edge, connection));
    if (!isDrawn) void this.room.push([{ op: "add", kind: "edge", record: { id: `e_${crypto.randomUUID()}`, ...ends } }]);
  };

  /** The server takes the edges and children of a removed node along, so only edges on their own are named. */
  readonly onDelete = ({ nodes, edges }: { nodes: Node[]; edges: Edge[] }): void => {
    const gone = new Set(nodes.map((node) => node.id));
    const loose = edges.filter((edge) => !gone.has(edge.source) && !gone.has(edge.target)).map((edge) => edge.id);
    const ops: Op[] = [];
    if (loose.length > 0) ops.push({ op: "remove", kind: "edge", ids: loose });
    if (gone.size > 0) ops.push({ op: "remove", kind: "node", ids: [...gone] });
    if (ops.length > 0) void this.room.push(ops);
  };

  addNode(record: Omit<NodeRecord, "id">): string {
    const id = `n_${crypto.randomUUID()}`;
    void this.room.push([{ op: "add", kind: "node", record: { ...record, id } as NodeRecord }]);
    return id;
  }

  /** Selects exactly these nodes on this screen. */
  select(ids: readonly string[]): void {
    const wanted = new Set(ids);
    this.onNodesChange(
      this.store.getState().nodes.map((node) => ({ type: "select", id: node.id, selected: wanted.has(node.id) })),
    );
  }

  setNode(id: string, set: Record<string, unknown>, unset: string[] = []): Promise<Result> {
    return this.room.push([{ op: "update", kind: "node", id, set, unset }]);
  }

  private sync(): void {
    const room = this.room.getState();
    const state = this.store.getState();
    const nodes = mergeNodes(room.document.nodes, state.nodes, this.nodeSources, dragsOf(room.peers), this.held);
    const edges = mergeEdges(room.document.edges, state.edges, this.edgeSources);
    this.store.setState({ nodes, edges, room });
  }

  private showSelection(): void {
    const selection = this.store.getState().nodes.filter((node) => node.selected).map((node) => node.id);
    this.room.setPresence({ selection: selection.length > 0 ? selection : null });
  }

  private followGesture(changes: NodeChange[]): void {
    const positions = changes.filter((change) => change.type === "position");
    const sizes = changes.filter(isResize);
    const isMoving = positions.some((change) => change.dragging === true);
    const isResizing = sizes.some((change) => change.resizing === true);
    const isMoved = positions.some((change) => change.dragging === false);
    const isResized = sizes.some((change) => change.resizing === false);
    if (!isMoving && !isResizing && !isMoved && !isResized) return; // sizes measured on mount are nobody else's business

    const wasDragged = positions.some((change) => this.held.has(change.id)) && this.nudge === null;
    for (const change of [...positions, ...sizes]) this.held.add(change.id);
    if (isMoving || isResizing) this.showDrag();
    else if (isResized || wasDragged) this.commitGesture();
    else this.commitSoon();
  }

  private showDrag(): void {
    const drag: Record<string, XY> = {};
    for (const node of this.store.getState().nodes) if (this.held.has(node.id)) drag[node.id] = node.position;
    this.room.setPresence({ drag });
  }

  private commitSoon(): void {
    if (this.nudge !== null) clearTimeout(this.nudge);
    this.nudge = setTimeout(() => this.commitGesture(), NUDGE_MS);
  }

  private commitGesture(): void {
    if (this.nudge !== null) clearTimeout(this.nudge);
    this.nudge = null;
    const records = new Map(this.room.getState().document.nodes.map((record) => [record.id, record]));
    const ops = this.store.getState().nodes.flatMap((node) => {
      const record = this.held.has(node.id) ? records.get(node.id) : undefined;
      return record === undefined ? [] : difference(record, node);
    });
    this.held.clear();
    if (ops.length > 0) void this.room.push(ops);
    else this.sync();
    this.room.setPresence({ drag: null });
  }
}

function hasEnds(edge: EdgeRecord, connection: Connection): boolean {
  const ends = ["source", "target", "sourceHandle", "targetHandle"] as const;
  return ends.every((end) => (edge[end] ?? null) === (connection[end] ?? null)); // null and missing say the same
}

function isResize(change: NodeChange): change is NodeDimensionChange {
  return change.type === "dimensions" && change.resizing !== undefined;
}

/** One op with the place and size that a gesture left behind, none when it came back to where it began. */
function difference(record: NodeRecord, node: Node): UpdateOp[] {
  const set: Record<string, unknown> = {};
  if (!isSame(record.position, node.position)) set["/position"] = node.position;
  if (node.width !== record.width && node.width !== undefined) set["/width"] = node.width;
  if (node.height !== record.height && node.height !== undefined) set["/height"] = node.height;
  if (Object.keys(set).length === 0) return [];
  return [{ op: "update", kind: "node", id: record.id, set, parentId: node.parentId ?? null }];
}

/**
 * Between React Flow and a room: the document becomes nodes and edges, React Flow's changes become pushes and
 * presence. Selection, measured sizes and gestures in progress stay on this screen.
 */
import {
  addEdge,
  applyEdgeChanges,
  applyNodeChanges,
  type Connection,
  type Edge,
  type EdgeChange,
  type Node,
  type NodeChange,
} from "@xyflow/react";
import { createStore, type StoreApi } from "zustand/vanilla";
import { createHttp, isSame, newId, type EdgeRecord, type GraphDocument, type Http, type NodeRecord, type Op, type Result, type Room, type RoomState, type UpdateOp, type XY } from "../client";
import { listChanges, opsBetween, touchedIds, type Shown } from "./changes";
import { difference } from "./difference";
import { Gesture, type Held } from "./gesture";
import { Glide } from "./glide";
import { movedHome, STAYING, type Homes } from "./homes";
import { dragsOf, keptOf, mergeEdges, mergeNodes, moveNodes, type Sources } from "./merge";

export interface CanvasState extends Shown {
  room: RoomState;
  /** Where what is held is to be put when it is let go. */
  homes: Homes;
}

/** A new list, or what makes one of the list that is shown. */
type Next<T> = T[] | ((shown: T[]) => T[]);

/** One end of a wire whose other end is a node that is being made. */
export interface Wire {
  nodeId: string;
  handleId?: string | null | undefined;
  end: "source" | "target";
}

/** What was shown when the first of this moment's changes came, and what they have touched since. */
interface Batch extends Shown {
  touched: { nodes: Set<string>; edges: Set<string> };
}

/** What was laid on the screen last, and of what. */
interface Laid extends Shown {
  document: GraphDocument;
  drags: Record<string, XY>;
}

export class Canvas {
  readonly store: StoreApi<CanvasState>;
  private readonly nodeSources: Sources = new Map();
  private readonly edgeSources = new Map<string, Edge>();
  private readonly gesture = new Gesture(
    () => this.showDrag(),
    (held) => this.commitGesture(held),
  );
  private readonly glide = new Glide(() => this.sync());
  /** Nodes that this screen has moved, and how many of those pushes are not answered yet. */
  private readonly unanswered = new Map<string, number>();
  private batch: Batch | null = null;
  private laid: Laid | null = null;
  private selection: string[] = [];

  /** `http`: the REST API of the same Easel, for whoever starts runs or shows pictures. */
  constructor(
    readonly room: Room,
    readonly http: Http = createHttp(),
  ) {
    this.store = createStore<CanvasState>(() => ({ nodes: [], edges: [], room: room.getState(), homes: STAYING }));
    room.subscribe(() => this.sync());
    this.sync();
  }

  readonly onNodesChange = (changes: NodeChange[]): void => {
    const allowed = this.allowed(changes);
    if (allowed.length === 0) return;
    for (const id of touchedIds(allowed)) this.open().touched.nodes.add(id);
    this.store.setState((state) => ({ nodes: onceEach(applyNodeChanges(allowed, state.nodes)) }));
    this.showSelection();
    if (this.mayEdit) this.gesture.follow(allowed);
  };

  readonly onEdgesChange = (changes: EdgeChange[]): void => {
    const allowed = this.allowed(changes);
    if (allowed.length === 0) return;
    for (const id of touchedIds(allowed)) this.open().touched.edges.add(id);
    this.store.setState((state) => ({ edges: onceEach(applyEdgeChanges(allowed, state.edges)) }));
  };

  readonly setNodes = (next: Next<Node>): void => {
    const { nodes } = this.store.getState();
    this.onNodesChange(listChanges(nodes, typeof next === "function" ? next(nodes) : next));
  };

  readonly setEdges = (next: Next<Edge>): void => {
    const { edges } = this.store.getState();
    this.onEdgesChange(listChanges(edges, typeof next === "function" ? next(edges) : next));
  };

  /** React Flow's own id: two people who draw the same wire at once draw one. */
  readonly onConnect = (connection: Connection): void => {
    const { edges } = this.store.getState();
    const drawn = addEdge(connection, edges).find((edge) => !edges.includes(edge));
    if (drawn === undefined) return;
    const isTaken = edges.some((edge) => edge.id === drawn.id);
    this.setEdges([...edges, isTaken ? { ...drawn, id: `e_${newId()}` } : drawn]);
    this.flush();
  };

  /** The edge keeps its id, and with it its data and whatever others are doing to it. */
  readonly onReconnect = (edge: Edge, { source, target, sourceHandle, targetHandle }: Connection): void => {
    const ends = { source, target, sourceHandle, targetHandle };
    this.setEdges((edges) => edges.map((each) => (each.id === edge.id ? { ...each, ...ends } : each)));
    this.flush();
  };

  readonly onDelete = ({ nodes, edges }: { nodes: Node[]; edges: Edge[] }): void => {
    this.onEdgesChange(edges.map(({ id }) => ({ type: "remove", id })));
    this.onNodesChange(nodes.map(({ id }) => ({ type: "remove", id })));
    this.flush();
  };

  /** What is held gets these parents when it is let go, in the same push as its place. Say it again with each move. */
  aim(homes: Homes): void {
    if (this.gesture.isHolding) this.store.setState({ homes });
  }

  readonly undo = (): void => {
    this.settle();
    void this.room.undo();
  };

  readonly redo = (): void => {
    this.settle();
    void this.room.redo();
  };

  /** `wire`: from or to another node, drawn in the same step. */
  addNode(record: Omit<NodeRecord, "id">, wire?: Wire): string {
    const id = `n_${newId()}`;
    const ops: Op[] = [{ op: "add", kind: "node", record: { ...record, id } as NodeRecord }];
    if (wire !== undefined) ops.push({ op: "add", kind: "edge", record: wireOf(wire, id) });
    void this.push(ops);
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
    return this.push([{ op: "update", kind: "node", id, set, unset }]);
  }

  /** Ops of one push, which is one step to undo; what is done but not pushed yet goes first. */
  push(ops: Op[]): Promise<Result> {
    this.settle();
    return this.room.push(ops);
  }

  private get mayEdit(): boolean {
    const { role, connection } = this.room.getState();
    return role !== "viewer" && connection !== "stopped";
  }

  /** A viewer's React Flow reports measured sizes and selections like everybody's; the rest is not a viewer's to change. */
  private allowed<T extends NodeChange | EdgeChange>(changes: T[]): T[] {
    return this.mayEdit ? changes : changes.filter((change) => change.type === "select" || change.type === "dimensions");
  }

  /** Changes of one moment (a delete, a paste, `setNodes` with `setEdges`) are one push, and one step to undo. */
  private open(): Batch {
    if (this.batch !== null) return this.batch;
    const { nodes, edges } = this.store.getState();
    queueMicrotask(() => this.flush());
    return (this.batch = { nodes, edges, touched: { nodes: new Set(), edges: new Set() } });
  }

  private flush(): void {
    const { batch } = this;
    if (batch === null) return;
    this.batch = null;
    const ops = opsBetween(batch, this.store.getState(), batch.touched, this.room.getState().document);
    if (ops.length > 0 && this.mayEdit) return void this.room.push(ops);
    if (!this.mayEdit) this.forget(batch.touched.nodes, batch.touched.edges);
    this.sync();
  }

  /** From now on the document alone says how these look. */
  private forget(nodes: Iterable<string>, edges: Iterable<string> = []): void {
    this.laid = null;
    for (const id of nodes) this.nodeSources.delete(id);
    for (const id of edges) this.edgeSources.delete(id);
  }

  /** Everything that is done but not pushed yet. */
  private settle(): void {
    this.flush();
    this.gesture.settle();
  }

  private sync(): void {
    this.flush(); // what is about to be pushed is on screen already; without the push it would vanish from there
    if (!this.mayEdit && this.gesture.isHolding) this.letGo();
    const room = this.room.getState();
    const drags = this.glided(dragsOf(room.peers, this.unanswered)); // ours is newer than theirs, until we know better
    this.laid = { ...this.lay(room.document, drags), document: room.document, drags };
    this.store.setState({ nodes: this.laid.nodes, edges: this.laid.edges, room });
  }

  /** While nobody changes anything, here or there, the others' drags are all there is to do, sixty times a second. */
  private lay(document: GraphDocument, drags: Record<string, XY>): Shown {
    const { nodes, edges } = this.store.getState();
    const { laid } = this;
    if (laid?.document === document && laid.nodes === nodes && laid.edges === edges) {
      return { nodes: moveNodes(nodes, this.nodeSources, drags, laid.drags), edges };
    }
    return {
      nodes: mergeNodes(document.nodes, nodes, this.nodeSources, drags, this.gesture.held),
      edges: mergeEdges(document.edges, edges, this.edgeSources),
    };
  }

  private glided(drags: Record<string, XY>): Record<string, XY> {
    const theirs = Object.fromEntries(Object.entries(drags).filter(([id]) => !this.gesture.held.places.has(id)));
    const shown = (id: string): XY | undefined => this.store.getState().nodes.find((node) => node.id === id)?.position;
    return this.glide.follow(theirs, shown);
  }

  /** The right to edit was taken away in the middle of a gesture: what it held goes back to where everyone sees it. */
  private letGo(): void {
    const { places, sizes } = this.gesture.cancel();
    this.forget([...places, ...sizes]);
    this.store.setState({ homes: STAYING });
    const isHeld = (node: Node): boolean => places.has(node.id) || sizes.has(node.id);
    this.store.setState(({ nodes }) => ({
      nodes: nodes.map((node) => (isHeld(node) ? { ...node, dragging: false, resizing: false } : node)),
    }));
    this.room.setPresence({ drag: null });
  }

  private showSelection(): void {
    const selection = this.store.getState().nodes.filter((node) => node.selected).map((node) => node.id);
    if (isSame(selection, this.selection)) return;
    this.selection = selection;
    this.room.setPresence({ selection: selection.length > 0 ? selection : null });
  }

  private showDrag({ places }: Held = this.gesture.held): void {
    const drag: Record<string, XY> = {};
    for (const node of this.store.getState().nodes) if (places.has(node.id)) drag[node.id] = node.position;
    if (places.size > 0) this.room.setPresence({ drag });
  }

  private commitGesture(held: Held): void {
    this.flush();
    this.showDrag(held); // the last place that is told is the one that is pushed
    const records = new Map(this.room.getState().document.nodes.map((record) => [record.id, record]));
    const { nodes, homes } = this.store.getState();
    const shown = new Map(nodes.map((node) => [node.id, node]));
    const ops = nodes.flatMap((node) => {
      const record = held.places.has(node.id) || held.sizes.has(node.id) ? records.get(node.id) : undefined;
      if (record === undefined || !Number.isFinite(node.position.x + node.position.y)) return [];
      return difference("node", record, { ...record, ...keptOf(node, held), ...movedHome(node, homes, shown) }, node.id) ?? [];
    });
    this.store.setState({ homes: STAYING });
    this.forget([...held.places, ...held.sizes]);
    if (ops.length > 0) return void this.untilAnswered(ops, () => this.room.push(ops));
    this.endDrag();
    this.sync();
  }

  private endDrag(): void {
    if (!this.gesture.isHolding) this.room.setPresence({ drag: null });
  }

  private async untilAnswered(ops: readonly UpdateOp[], push: () => Promise<Result>): Promise<void> {
    const ids = ops.map((op) => op.id);
    for (const id of ids) this.unanswered.set(id, (this.unanswered.get(id) ?? 0) + 1);
    await push();
    for (const id of ids) {
      const left = (this.unanswered.get(id) ?? 1) - 1;
      if (left > 0) this.unanswered.set(id, left);
      else this.unanswered.delete(id);
    }
    this.endDrag(); // not before: the others would see everything jump back until the commit reaches them
    this.sync();
  }
}

function wireOf({ nodeId, handleId, end }: Wire, newNodeId: string): EdgeRecord {
  const id = `e_${newId()}`;
  const handle = handleId != null && { [`${end}Handle`]: handleId };
  return end === "source" ? { id, source: nodeId, target: newNodeId, ...handle } : { id, source: newNodeId, target: nodeId, ...handle };
}

function onceEach<T extends { id: string }>(items: T[]): T[] {
  const ids = new Set(items.map((item) => item.id));
  return ids.size === items.length ? items : items.filter(({ id }) => ids.delete(id));
}

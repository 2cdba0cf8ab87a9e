/**
 * React Flow is the oracle: the same random changes, applied by its own `applyNodeChanges` and `applyEdgeChanges` and
 * by Easel (changes to ops, ops over the wire, ops applied elsewhere), come to the same document.
 */
import {
  addEdge,
  applyEdgeChanges,
  applyNodeChanges,
  reconnectEdge,
  type Edge,
  type EdgeChange,
  type Node,
  type NodeChange,
} from "@xyflow/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { apply, EMPTY_DOCUMENT, LOCAL_FIELDS, Room, type GraphDocument } from "../client";
import { FakeServer, node } from "../client/FakeServer";
import { Canvas } from "./canvas";
import { listChanges } from "./changes";

const SEEDS = 400;
const STEPS = 40;
const counts: Record<string, number> = {};

type Random = (below: number) => number;

function randomFrom(seed: number): Random {
  let state = (seed + 1) * 2_654_435_761;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}

function pick<T>(random: Random, list: readonly T[]): T | undefined {
  return list[random(list.length)];
}

/** Keys in order, this screen's own fields gone, nothing said by null. */
function canonical(value: unknown, depth = 0): unknown {
  if (Array.isArray(value)) return value.map((item) => canonical(item, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  const local: readonly string[] = LOCAL_FIELDS;
  const entries = Object.entries(value)
    .filter(([key, inner]) => inner != null && !(depth === 1 && local.includes(key)))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, canonical(inner, depth + 1)]));
}

function textOf(items: readonly unknown[]): string {
  return JSON.stringify(canonical(items), null, 1);
}

/** The document as React Flow keeps it. */
class Oracle {
  nodes: Node[];
  edges: Edge[] = [];

  constructor(start: Node[]) {
    this.nodes = start;
  }

  change(nodes: NodeChange[], edges: EdgeChange[]): void {
    this.nodes = applyNodeChanges(nodes, this.nodes);
    this.edges = applyEdgeChanges(edges, this.edges);
  }

  family(id: string): Set<string> {
    const family = new Set([id]);
    for (const each of this.nodes) if (each.parentId != null && family.has(each.parentId)) family.add(each.id);
    return family;
  }

  /** Easel's order rule: React Flow itself would let a child stand before its parent, and not draw it. */
  putBehind(id: string): void {
    const family = this.family(id);
    this.nodes = [...this.nodes.filter((each) => !family.has(each.id)), ...this.nodes.filter((each) => family.has(each.id))];
  }
}

interface Changes {
  kind: string;
  nodes?: NodeChange[];
  edges?: EdgeChange[];
  after?: () => void;
}

function withData(random: Random, item: Node): Node {
  const size = { width: random(3), ...(random(2) && { unit: "px" }) };
  const data: Record<string, unknown> = { ...item.data };
  const key = pick(random, ["prompt", "seed", "size", "list"]) ?? "prompt";
  if (random(4) === 0) return { ...item, data: Object.fromEntries(Object.entries(data).filter(([name]) => name !== key)) };
  data[key] = { prompt: `p${random(5)}`, seed: random(9), size: { ...(data.size as object), ...size }, list: [random(3), { a: random(2) }] }[key];
  return { ...item, data };
}

function replaced(random: Random, flow: Oracle): Changes {
  const item = pick(random, flow.nodes);
  if (item === undefined) return { kind: "nothing" };
  const { id } = item;
  const plain: Node[] = [
    withData(random, item),
    withData(random, item),
    { ...item, hidden: random(2) === 0 },
    { ...item, zIndex: random(5), selected: true },
    { ...item, position: { x: random(500), y: random(500) } },
    { ...item, width: random(300), measured: { width: 7, height: 7 } },
    { ...item, style: { color: `c${random(3)}` }, className: undefined },
  ];
  const parents = flow.nodes.filter((each) => !flow.family(id).has(each.id));
  const parent = random(3) === 0 ? pick(random, parents) : undefined;
  if (parent === undefined) return { kind: "replace", nodes: [{ type: "replace", id, item: pick(random, plain) ?? item }] };
  const isBehind = flow.nodes.indexOf(parent) > flow.nodes.indexOf(item);
  const moved = { ...item, parentId: parent.id, position: { x: random(90), y: random(90) } };
  const nodes: NodeChange[] = [{ type: "replace", id, item: random(5) ? moved : { ...item, parentId: undefined } }];
  const isGiven = nodes[0]?.type === "replace" && nodes[0].item === moved && item.parentId !== parent.id;
  return { kind: isBehind ? "reparent behind" : "reparent", nodes, ...(isBehind && isGiven && { after: () => flow.putBehind(id) }) };
}

function added(random: Random, flow: Oracle, name: string): Changes {
  const parent = random(3) === 0 ? pick(random, flow.nodes) : undefined;
  const item: Node = { id: name, type: "image_generation", position: { x: random(99), y: 1 }, data: { prompt: name }, selected: random(2) === 0 };
  if (parent !== undefined) item.parentId = parent.id;
  const first = parent === undefined ? 0 : flow.nodes.indexOf(parent) + 1;
  const index = first + random(flow.nodes.length - first + 1);
  const next: Node = { id: `${name}b`, position: { x: 0, y: 0 }, data: {} };
  if (random(4) === 0) return { kind: "paste", nodes: [{ type: "add", item, index }, { type: "add", item: next, index: index + 1 }] };
  return { kind: "add", nodes: [random(2) ? { type: "add", item, index } : { type: "add", item }] };
}

/** As React Flow deletes: with children and edges, edges first. */
function removed(random: Random, flow: Oracle): Changes {
  const victim = pick(random, flow.nodes);
  if (victim === undefined) return { kind: "nothing" };
  const gone = flow.family(victim.id);
  const edges = flow.edges.filter((edge) => gone.has(edge.source) || gone.has(edge.target) || random(6) === 0);
  return {
    kind: "remove",
    edges: edges.map(({ id }) => ({ type: "remove", id })),
    nodes: [...gone].map((id) => ({ type: "remove", id })),
  };
}

function wired(random: Random, flow: Oracle): Changes {
  const [source, target, edge] = [pick(random, flow.nodes)?.id, pick(random, flow.nodes)?.id, pick(random, flow.edges)];
  if (source === undefined || target === undefined) return { kind: "nothing" };
  const ends = { source, target, sourceHandle: random(3) ? null : "out", targetHandle: null };
  const next = ((): Edge[] => {
    if (edge === undefined || random(3) === 0) return addEdge(ends, flow.edges);
    if (random(2)) return reconnectEdge(edge, ends, flow.edges, { shouldReplaceId: random(2) === 0 });
    const change = pick(random, [{ animated: random(2) === 0 }, { data: { weight: random(4) } }, { label: `l${random(3)}` }]);
    return flow.edges.map((each) => (each === edge ? { ...each, ...change } : each));
  })();
  const unique = next.filter((item, at) => next.findIndex(({ id }) => id === item.id) === at);
  return { kind: "wire", edges: listChanges(flow.edges, unique) };
}

function moved(random: Random, flow: Oracle): Changes[] {
  const items = flow.nodes.filter(() => random(3) === 0);
  const place = (dragging?: boolean): NodeChange[] =>
    items.map(({ id }) => ({ type: "position", id, position: { x: random(400), y: random(400) }, ...(dragging !== undefined && { dragging }) }));
  if (items.length === 0) return [];
  if (random(2)) return [{ kind: "drag", nodes: place(true) }, { kind: "drag", nodes: place(true) }, { kind: "drag", nodes: place(false) }];
  return [{ kind: "nudge", nodes: place(random(2) ? false : undefined) }];
}

function resized(random: Random, flow: Oracle): Changes[] {
  const id = pick(random, flow.nodes)?.id;
  if (id === undefined) return [];
  const dimensions = { width: 10 + random(90), height: 10 + random(90) };
  const setAttributes = pick(random, [true, "width", "height"] as const);
  const left: NodeChange[] = random(2) ? [{ type: "position", id, position: { x: random(9), y: random(9) } }] : [];
  return [
    { kind: "resize", nodes: [...left, { type: "dimensions", id, dimensions, resizing: true, ...(setAttributes && { setAttributes }) }] },
    { kind: "resize", nodes: [{ type: "dimensions", id, dimensions, resizing: false }] },
  ];
}

function looked(random: Random, flow: Oracle): Changes {
  const id = pick(random, flow.nodes)?.id;
  if (id === undefined) return { kind: "nothing" };
  const nodes: NodeChange[] = [
    { type: "select", id, selected: random(2) === 0 },
    { type: "dimensions", id, dimensions: { width: random(300), height: 80 } },
  ];
  return { kind: "look", nodes: nodes.slice(random(2)) };
}

function somethingIn(random: Random, flow: Oracle, name: string): Changes[] {
  const choice = random(14);
  if (choice < 3) return [added(random, flow, name)];
  if (choice < 6) return [replaced(random, flow)];
  if (choice < 9) return [wired(random, flow)];
  if (choice === 9) return [removed(random, flow)];
  if (choice < 12) return moved(random, flow);
  return choice === 12 ? resized(random, flow) : [looked(random, flow)];
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it.each(Array.from({ length: SEEDS }, (_, seed) => seed))("seed %i", async (seed) => {
  const random = randomFrom(seed);
  const server = new FakeServer();
  const canvas = new Canvas(new Room({ url: "ws://easel", open: server.open, newClientId: () => "c1" }));
  const start = ["a", "b", "c"].map((id) => node(id, { size: { width: 1 } }));
  canvas.room.join();
  server.admit(start);
  const flow = new Oracle(structuredClone(start) as Node[]);
  let elsewhere: GraphDocument = { ...EMPTY_DOCUMENT, nodes: start };
  let heard = 0;

  /** Commits what came over the wire, here and on another screen. */
  const answer = (): void => {
    const pushes = server.heard("push");
    for (const { clientSeq, ops } of pushes.slice(heard)) {
      const after = apply(elsewhere, ops);
      expect(after, `a push without effect: ${JSON.stringify(ops)}`).not.toBe(elsewhere);
      elsewhere = after;
      server.result({ clientSeq, seq: 10 + ++heard, outcome: "commit" });
    }
  };

  for (let step = 0; step < STEPS; step++) {
    for (const { kind, nodes = [], edges = [], after } of somethingIn(random, flow, `n${step}`)) {
      counts[kind] = (counts[kind] ?? 0) + 1;
      flow.change(nodes, edges);
      after?.();
      if (edges.length > 0) canvas.onEdgesChange(edges);
      if (nodes.length > 0) canvas.onNodesChange(nodes);
      await Promise.resolve();
    }
    vi.advanceTimersByTime(250); // the hand rests after arrow keys
    if (random(3) > 0) answer();
    const { document } = canvas.room.getState();
    expect(textOf(document.nodes), `nodes after step ${step} of seed ${seed}`).toBe(textOf(flow.nodes));
    expect(textOf(document.edges), `edges after step ${step} of seed ${seed}`).toBe(textOf(flow.edges));
    expect(textOf(canvas.store.getState().nodes), `shown after step ${step} of seed ${seed}`).toBe(textOf(flow.nodes));
  }
  answer();
  expect(textOf(elsewhere.nodes), `nodes elsewhere, seed ${seed}`).toBe(textOf(flow.nodes));
  expect(textOf(elsewhere.edges), `edges elsewhere, seed ${seed}`).toBe(textOf(flow.edges));
  canvas.room.leave();
});

it("has tried everything", () => {
  const kinds = ["add", "paste", "replace", "reparent", "reparent behind", "remove", "wire", "drag", "nudge", "resize", "look"];
  for (const kind of kinds) expect(counts[kind], kind).toBeGreaterThan(100);
});

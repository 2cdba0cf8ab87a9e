/** What React Flow's changes come to: two lists of what was shown, before and after, become the ops of one push. */
import type { Edge, EdgeChange, Node, NodeChange } from "@xyflow/react";
import type { EdgeRecord, GraphDocument, NodeRecord, Op } from "../client";
import { difference, recordOf } from "./difference";

/** One screen's picture of the document. */
export interface Shown {
  nodes: Node[];
  edges: Edge[];
}

/** The ids that an `add`, a `replace` or a `remove` has touched. */
export interface Touched {
  nodes: ReadonlySet<string>;
  edges: ReadonlySet<string>;
}

export function touchedIds(changes: readonly (NodeChange | EdgeChange)[]): string[] {
  return changes.flatMap((change) => {
    if (change.type === "add") return change.item.id;
    return change.type === "replace" || change.type === "remove" ? change.id : [];
  });
}

/** What takes one list to the other, as React Flow itself would say it. */
export function listChanges<T extends { id: string }>(before: readonly T[], after: readonly T[]) {
  const known = new Map(before.map((item) => [item.id, item]));
  const left = new Set(after.map((item) => item.id));
  const changes: ({ type: "add"; item: T; index: number } | { type: "replace"; id: string; item: T } | { type: "remove"; id: string })[] = [];
  for (const [index, item] of after.entries()) {
    const was = known.get(item.id);
    if (was === undefined) changes.push({ type: "add", item, index });
    else if (was !== item) changes.push({ type: "replace", id: item.id, item });
  }
  for (const id of known.keys()) if (!left.has(id)) changes.push({ type: "remove", id });
  return changes;
}

/**
 * In an order that the server can follow: a node is there before its edges and its children, and a child has left its
 * parent before that is removed. Edges and children that go with a removed node are not named again.
 */
export function opsBetween(before: Shown, after: Shown, touched: Touched, document: GraphDocument): Op[] {
  const nodes = compared(before.nodes, after.nodes, touched.nodes);
  const edges = compared(before.edges, after.edges, touched.edges);
  const gone = new Set(nodes.removed);
  const ends = new Map(before.edges.map((edge) => [edge.id, edge]));
  const loose = edges.removed.filter((id) => {
    const edge = ends.get(id);
    return edge !== undefined && !gone.has(edge.source) && !gone.has(edge.target);
  });
  const ops: Op[] = [
    ...addedNodes(nodes.added, after.nodes, document.nodes),
    ...nodes.kept.flatMap(([was, is]) => difference("node", was, is, is.id) ?? []),
    ...edges.added.map((edge): Op => ({ op: "add", kind: "edge", record: recordOf(edge), ...placeOf(edge.id, after.edges, document.edges) })),
    ...edges.kept.flatMap(([was, is]) => difference("edge", was, is, is.id) ?? []),
  ];
  if (loose.length > 0) ops.push({ op: "remove", kind: "edge", ids: loose });
  if (gone.size > 0) ops.push({ op: "remove", kind: "node", ids: [...gone] });
  return ops;
}

function compared<T extends { id: string }>(before: readonly T[], after: readonly T[], touched: ReadonlySet<string>) {
  if (touched.size === 0) return { added: [], kept: [], removed: [] };
  const [old, now] = [before, after].map((list) => new Map(list.filter(({ id }) => touched.has(id)).map((item) => [item.id, item])));
  const added: T[] = [];
  const kept: [T, T][] = [];
  for (const [id, item] of now ?? []) {
    const was = old?.get(id);
    if (was === undefined) added.push(item);
    else kept.push([was, item]);
  }
  return { added, kept, removed: [...(old?.keys() ?? [])].filter((id) => !now?.has(id)) };
}

function addedNodes(added: readonly Node[], shown: readonly Node[], records: readonly NodeRecord[]): Op[] {
  const list: { id: string }[] = [...records];
  return parentsFirst(added).map((node) => {
    const place = placeOf(node.id, shown, list);
    list.splice(place.index ?? list.length, 0, node);
    return { op: "add", kind: "node", record: recordOf(node), ...place };
  });
}

/** In front of what follows it on screen; nothing when that is the end. */
function placeOf(id: string, shown: readonly { id: string }[], list: readonly (EdgeRecord | { id: string })[]): { index?: number } {
  const at = new Map(list.map((record, index) => [record.id, index]));
  const next = shown.slice(shown.findIndex((item) => item.id === id) + 1).find((item) => at.has(item.id));
  return next === undefined ? {} : { index: at.get(next.id) };
}

function parentsFirst(nodes: readonly Node[]): Node[] {
  const waiting = new Map(nodes.map((node) => [node.id, node]));
  const ordered: Node[] = [];
  const place = (node: Node): void => {
    if (!waiting.delete(node.id)) return;
    const parent = node.parentId === undefined ? undefined : waiting.get(node.parentId);
    if (parent !== undefined) place(parent);
    ordered.push(node);
  };
  nodes.forEach(place);
  return ordered;
}

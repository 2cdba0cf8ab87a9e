import type { Edge, Node } from "@xyflow/react";
import type { EdgeRecord, NodeRecord, Peers, XY } from "../client";
import type { Held } from "./gesture";
import { harmlessEdge, harmlessNode } from "./harmless";

/** What a shown node was made from; as long as both parts are the same objects, so is the node. */
interface Source {
  record: NodeRecord;
  drag: XY | undefined;
}

export type Sources = Map<string, Source>;

/** Where the others are holding nodes right now, but for those that are `ours`. */
export function dragsOf(peers: Peers, ours: ReadonlyMap<string, unknown>): Record<string, XY> {
  const drags = Object.values(peers).flatMap((peer) => Object.entries(peer.drag ?? {}));
  return Object.fromEntries(drags.filter(([id]) => !ours.has(id)));
}

/**
 * Lays the document under what only this screen knows. `measured` must survive: without it React Flow hides the node
 * until it is measured again, and its edges with it.
 */
export function mergeNodes(
  records: readonly NodeRecord[],
  shown: Node[],
  sources: Sources,
  drags: Record<string, XY>,
  held: Held,
): Node[] {
  const byId = new Map(shown.map((node) => [node.id, node]));
  const next = records.map((record) => {
    const current = byId.get(record.id);
    const drag = held.places.has(record.id) ? undefined : drags[record.id];
    const source = sources.get(record.id);
    if (current !== undefined && source?.record === record && source.drag === drag) return current;
    sources.set(record.id, { record, drag });
    return overlaid(record, current, drag, held);
  });
  if (sources.size > next.length) forget(sources, next);
  return isSameList(shown, next) ? shown : next;
}

/** The same when nothing else is new: only what the others hold now, or held `before`, is looked at. */
export function moveNodes(shown: Node[], sources: Sources, drags: Record<string, XY>, before: Record<string, XY>): Node[] {
  const moved = new Set(Object.keys({ ...before, ...drags }).filter((id) => before[id] !== drags[id]));
  if (moved.size === 0) return shown;
  return shown.map((node) => {
    const source = moved.has(node.id) ? sources.get(node.id) : undefined;
    if (source === undefined) return node;
    source.drag = drags[node.id];
    return { ...node, position: source.drag ?? source.record.position };
  });
}

function overlaid(record: NodeRecord, current: Node | undefined, drag: XY | undefined, held: Held): Node {
  const node = { ...harmlessNode(record), position: drag ?? record.position } as Node;
  if (record.parentId == null) delete node.parentId;
  if (current === undefined) return node;
  const { selected, measured, dragging, resizing } = current;
  return Object.assign(node, { selected, measured, dragging, resizing }, keptOf(current, held));
}

/** The place and size that a gesture gives the node. */
export function keptOf({ id, position, width, height }: Node, { places, sizes }: Held): Partial<Node> {
  return { ...(places.has(id) && { position }), ...(sizes.has(id) && { width, height }) };
}

function forget(sources: Sources, nodes: readonly Node[]): void {
  const present = new Set(nodes.map((node) => node.id));
  for (const id of sources.keys()) if (!present.has(id)) sources.delete(id);
}

export function mergeEdges(records: readonly EdgeRecord[], shown: Edge[], sources: Map<string, EdgeRecord>): Edge[] {
  const byId = new Map(shown.map((edge) => [edge.id, edge]));
  const next = records.map((record) => {
    const current = byId.get(record.id);
    if (current !== undefined && sources.get(record.id) === record) return current;
    sources.set(record.id, record);
    return { ...harmlessEdge(record), selected: current?.selected };
  });
  return isSameList(shown, next) ? shown : next;
}

function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

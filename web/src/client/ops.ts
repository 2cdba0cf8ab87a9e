/**
 * How operations change a document. Pure: a new document shares every record that was not touched, and an
 * operation without effect returns the very same document. An operation that the server will refuse has no effect.
 *
 * Order: a parent always stands before its children, because React Flow skips a child that comes first. Only an `add`
 * and an update that gives a node a parent further down move anything in the list.
 */
import { isSame, setAt, unsetAt } from "./pointer";
import type { EdgeRecord, GraphDocument, NodeRecord, Op, UpdateOp, XY } from "./types";

type AnyRecord = NodeRecord | EdgeRecord;

export const EMPTY_DOCUMENT: GraphDocument = { workflow: {}, nodes: [], edges: [] };

/** Fields that describe one person's view and never leave their screen. */
export const LOCAL_FIELDS = ["selected", "dragging", "resizing", "measured", "internals", "positionAbsolute"] as const;

export function withoutLocalFields<T extends AnyRecord>(record: T): T {
  const local = new Set<string>(LOCAL_FIELDS);
  return Object.fromEntries(Object.entries(record).filter(([key]) => !local.has(key))) as T;
}

export function apply(document: GraphDocument, ops: readonly Op[]): GraphDocument {
  return ops.reduce(applyOne, document);
}

function applyOne(document: GraphDocument, op: Op): GraphDocument {
  switch (op.op) {
    case "add":
      return op.kind === "node"
        ? withNodes(document, inserted(document.nodes, op.record, placeOf(document.nodes, op)))
        : withEdges(document, inserted(document.edges, op.record, op.index));
    case "update":
      return op.kind === "node" ? updateNode(document, op) : updateEdge(document, op);
    case "remove":
      return op.kind === "node" ? removeNodes(document, op.ids) : removeEdges(document, new Set(op.ids));
    case "restore":
      return document; // only the server knows what was removed; its answer names the records
    case "workflow": {
      const workflow = edit(document.workflow, op.set);
      return workflow === document.workflow ? document : { ...document, workflow };
    }
  }
}

function withNodes(document: GraphDocument, nodes: readonly NodeRecord[]): GraphDocument {
  return nodes === document.nodes ? document : { ...document, nodes };
}

function withEdges(document: GraphDocument, edges: readonly EdgeRecord[]): GraphDocument {
  return edges === document.edges ? document : { ...document, edges };
}

function inserted<T extends AnyRecord>(records: readonly T[], record: T, index = records.length): readonly T[] {
  return records.some((known) => known.id === record.id) ? records : records.toSpliced(index, 0, record);
}

/** The index that was asked for, or right after the parent when that is further down. */
function placeOf(nodes: readonly NodeRecord[], { record, index = nodes.length }: { record: NodeRecord; index?: number }): number {
  const parentAt = record.parentId == null ? -1 : nodes.findIndex((node) => node.id === record.parentId);
  return Math.max(index, parentAt + 1);
}

function edit<T extends Record<string, unknown>>(record: T, set: Record<string, unknown> = {}, unset: string[] = []): T {
  const assigned = Object.entries(set).reduce((next, [pointer, value]) => {
    const opened = pointer.startsWith("/data/") && !("data" in next) ? { ...next, data: {} } : next;
    return setAt(opened, pointer, value);
  }, record);
  return unset.reduce((next, pointer) => unsetAt(next, pointer), assigned);
}

function updateNode(document: GraphDocument, op: UpdateOp): GraphDocument {
  const index = document.nodes.findIndex((node) => node.id === op.id);
  const before = document.nodes[index];
  if (before === undefined) return document; // delete wins over update
  const after = edit(before, inParent(document.nodes, before, op), op.unset);
  if (after === before) return document;
  const nodes = document.nodes.with(index, after);
  if (after.parentId == null || after.parentId === before.parentId) return withNodes(document, nodes);
  const family = withDescendants(nodes, [after.id]);
  if (family.has(after.parentId)) return document; // a node cannot be inside itself
  return withNodes(document, nodes.findIndex((node) => node.id === after.parentId) < index ? nodes : atEnd(nodes, family));
}

/** These nodes and everything inside them. */
function withDescendants(nodes: readonly NodeRecord[], ids: readonly string[]): Set<string> {
  const family = new Set(ids);
  for (const node of nodes) {
    if (node.parentId != null && family.has(node.parentId)) family.add(node.id); // parents come first, so one pass will do
  }
  return family;
}

function atEnd(nodes: readonly NodeRecord[], family: ReadonlySet<string>): readonly NodeRecord[] {
  return [...nodes.filter((node) => !family.has(node.id)), ...nodes.filter((node) => family.has(node.id))];
}

/** Carries a position over into the parent the node has now, keeping its place on screen. */
function inParent(nodes: readonly NodeRecord[], node: NodeRecord, op: UpdateOp): Record<string, unknown> | undefined {
  const position = op.set?.["/position"] as XY | undefined;
  if (position === undefined || op.parentId === undefined) return op.set;
  const stays = op.unset?.includes("/parentId") ? null : (node.parentId ?? null);
  const parent = op.set && "/parentId" in op.set ? (op.set["/parentId"] as string | null) : stays;
  if (parent === op.parentId) return op.set;
  const from = origin(nodes, op.parentId);
  const to = origin(nodes, parent);
  if (from === null || to === null) {
    const { "/position": _unplaceable, ...rest } = op.set ?? {};
    return rest;
  }
  return { ...op.set, "/position": { ...position, x: position.x + from.x - to.x, y: position.y + from.y - to.y } };
}

/** Where a parent's own coordinates start on the canvas; null when it is gone. */
function origin(nodes: readonly NodeRecord[], id: string | null | undefined): XY | null {
  const at = { x: 0, y: 0 };
  const visited = new Set<string>();
  for (let next = id; next != null && !visited.has(next); ) {
    visited.add(next);
    const parent = nodes.find((node) => node.id === next);
    if (parent === undefined) return null;
    at.x += parent.position.x;
    at.y += parent.position.y;
    next = parent.parentId;
  }
  return at;
}

function updateEdge(document: GraphDocument, op: UpdateOp): GraphDocument {
  const index = document.edges.findIndex((edge) => edge.id === op.id);
  const before = document.edges[index];
  if (before === undefined) return document;
  const after = edit(before, op.set, op.unset);
  return after === before ? document : withEdges(document, document.edges.with(index, after));
}

function removeNodes(document: GraphDocument, ids: readonly string[]): GraphDocument {
  const gone = withDescendants(document.nodes, ids);
  const nodes = document.nodes.filter((node) => !gone.has(node.id));
  const edges = document.edges.filter((edge) => !gone.has(edge.source) && !gone.has(edge.target));
  if (nodes.length === document.nodes.length && edges.length === document.edges.length) return document;
  return { ...document, nodes, edges: edges.length === document.edges.length ? document.edges : edges };
}

function removeEdges(document: GraphDocument, ids: ReadonlySet<string>): GraphDocument {
  const edges = document.edges.filter((edge) => !ids.has(edge.id));
  return edges.length === document.edges.length ? document : { ...document, edges };
}

/** `next`, with every record that equals its predecessor replaced by that predecessor. */
export function keepIdentity(previous: GraphDocument, next: GraphDocument): GraphDocument {
  if (previous === next) return previous;
  const nodes = keepRecords(previous.nodes, next.nodes);
  const edges = keepRecords(previous.edges, next.edges);
  const workflow = isSame(previous.workflow, next.workflow) ? previous.workflow : next.workflow;
  const same = nodes === previous.nodes && edges === previous.edges && workflow === previous.workflow;
  return same ? previous : { workflow, nodes, edges };
}

function keepRecords<T extends AnyRecord>(previous: readonly T[], next: readonly T[]): readonly T[] {
  if (previous === next) return previous;
  const byId = new Map(previous.map((record) => [record.id, record]));
  const kept = next.map((record) => {
    const known = byId.get(record.id);
    return known !== undefined && isSame(known, record) ? known : record;
  });
  const same = kept.length === previous.length && kept.every((record, index) => record === previous[index]);
  return same ? previous : kept;
}

/**
 * A piece of a canvas that can be put down somewhere else: what is copied, pasted, duplicated, and what a template is.
 * On the clipboard it is React Flow's own `{nodes, edges}` as JSON, so that other canvases and other products can read it.
 */
import { isBag, LOCAL_FIELDS, newId, type EdgeRecord, type GraphDocument, type NodeRecord, type Op, type XY } from "../client";

/** What a fragment is dragged as; no text field takes it. */
export const NODES = "application/x-easel-nodes";

export interface Fragment {
  /** Parents before their children; those without a parent in here stand in coordinates of the canvas. */
  nodes: readonly NodeRecord[];
  /** Between these nodes alone. */
  edges: readonly EdgeRecord[];
}

/** What tells the pieces of a run apart from what it made: a copy did not run, it only shows the same picture. */
const OF_A_RUN = ["jobId", "updatedAt", "error"];
const ENDED = "completed";

/** Of a card that says no size: an image node before its first picture. */
export const CARD = { width: 280, height: 190 };
export const NOTE = { width: 280, height: 130 };

/** These nodes, everything inside them, and the wires among them. */
export function fragmentOf({ nodes, edges }: Pick<GraphDocument, "nodes" | "edges">, ids: Iterable<string>): Fragment {
  const family = new Set(ids);
  for (const node of nodes) if (node.parentId != null && family.has(node.parentId)) family.add(node.id); // parents come first
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const taken = nodes.filter((node) => family.has(node.id));
  return {
    nodes: taken.map((node) => (node.parentId != null && family.has(node.parentId) ? node : loose(node, byId))),
    edges: edges.filter((edge) => family.has(edge.source) && family.has(edge.target)),
  };
}

/** Where a node stands on the canvas itself. */
export function placeOf(node: NodeRecord, byId: ReadonlyMap<string, NodeRecord>): XY {
  const at = { x: node.position.x, y: node.position.y };
  const visited = new Set([node.id]);
  for (let id = node.parentId; id != null && !visited.has(id); ) {
    visited.add(id);
    const parent = byId.get(id);
    if (parent === undefined) break;
    at.x += parent.position.x;
    at.y += parent.position.y;
    id = parent.parentId;
  }
  return at;
}

function loose(node: NodeRecord, byId: ReadonlyMap<string, NodeRecord>): NodeRecord {
  if (node.parentId == null) return node;
  const { parentId: _left, extent: _bounds, ...rest } = node;
  return { ...rest, position: placeOf(node, byId) };
}

export function textOf({ nodes, edges }: Fragment): string {
  return JSON.stringify({ nodes, edges }, null, 1);
}

/** The fragment that a text is, whoever wrote it; null when it is something else. */
export function readFragment(text: string): Fragment | null {
  if (!text.trimStart().startsWith("{")) return null;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return null; // a text like any other
  }
  if (!isBag(content) || !Array.isArray(content.nodes) || content.nodes.length === 0 || !content.nodes.every(isNode)) return null;
  const edges: unknown[] = Array.isArray(content.edges) ? content.edges : [];
  const nodes = parentsFirst(content.nodes.map(modern));
  const ids = new Set(nodes.map(({ id }) => id));
  return { nodes, edges: edges.filter(isEdge).filter(({ source, target }) => ids.has(source) && ids.has(target)) };
}

function isNode(value: unknown): value is NodeRecord {
  if (!isBag(value) || typeof value.id !== "string" || !isBag(value.position)) return false;
  return Number.isFinite(value.position.x) && Number.isFinite(value.position.y) && (value.data === undefined || isBag(value.data));
}

function isEdge(value: unknown): value is EdgeRecord {
  return isBag(value) && typeof value.source === "string" && typeof value.target === "string";
}

/** React Flow 10 and 11 called the parent `parentNode`. */
function modern({ parentNode, ...node }: NodeRecord): NodeRecord {
  return typeof parentNode === "string" ? { parentId: parentNode, ...node } : node;
}

/** One of each id; a parent that is missing, or inside its own child, is none. */
function parentsFirst(nodes: readonly NodeRecord[]): NodeRecord[] {
  const waiting = new Map(nodes.map((node) => [node.id, node]));
  const placed = new Set<string>();
  const ordered: NodeRecord[] = [];
  const place = (node: NodeRecord): void => {
    if (!waiting.delete(node.id)) return;
    const parent = node.parentId == null ? undefined : waiting.get(node.parentId);
    if (parent !== undefined) place(parent);
    const hasParent = node.parentId != null && placed.has(node.parentId);
    placed.add(node.id);
    const { parentId, ...rest } = node;
    ordered.push((hasParent ? { ...rest, parentId } : rest));
  };
  for (const node of nodes) place(node);
  return ordered;
}

/** The box around those that stand on the canvas itself. */
export function middleOf({ nodes }: Fragment): XY {
  const free = nodes.filter((node) => node.parentId == null);
  const sizes = free.map((node) => ({ ...node.position, ...sizeOf(node) }));
  const [left, top] = [Math.min(...sizes.map(({ x }) => x)), Math.min(...sizes.map(({ y }) => y))];
  const [right, bottom] = [Math.max(...sizes.map(({ x, width }) => x + width)), Math.max(...sizes.map(({ y, height }) => y + height))];
  return { x: (left + right) / 2, y: (top + bottom) / 2 };
}

/** How large it will be, as far as that is known before it is drawn. */
export function sizeOf({ type, width, height, style }: Partial<NodeRecord>): typeof CARD {
  const styled = isBag(style) ? style : {};
  const usual = type === "note" ? NOTE : CARD;
  return { width: width ?? numberOf(styled.width) ?? usual.width, height: height ?? numberOf(styled.height) ?? usual.height };
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** How a fragment comes onto a canvas: under fresh ids, moved by `by`, `housed` there, as the ops of one push. */
export function planted({ nodes, edges }: Fragment, by: XY, housed = (record: NodeRecord): NodeRecord => record): { ids: string[]; ops: Op[] } {
  const names = new Map(nodes.map(({ id }) => [id, `n_${newId()}`]));
  const named = (id: string): string => names.get(id) ?? id; // the parent of a duplicate may be none of them
  const ids: string[] = [];
  const ops: Op[] = nodes.map((node) => {
    const isFree = node.parentId == null || !names.has(node.parentId);
    if (isFree) ids.push(named(node.id));
    const { x, y } = node.position;
    const record = {
      ...withoutLocal(node),
      id: named(node.id),
      position: isFree ? { x: Math.round(x + by.x), y: Math.round(y + by.y) } : { x, y },
      data: copiedData(node.data),
      ...(node.parentId != null && { parentId: named(node.parentId) }),
    };
    return { op: "add", kind: "node", record: housed(record) };
  });
  for (const edge of edges) {
    const record = { ...withoutLocal(edge), id: `e_${newId()}`, source: named(edge.source), target: named(edge.target) };
    ops.push({ op: "add", kind: "edge", record });
  }
  return { ids, ops };
}

const LOCAL = new Set<string>(LOCAL_FIELDS);

function withoutLocal<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !LOCAL.has(key))) as T;
}

function copiedData(data: Record<string, unknown> | undefined): Record<string, unknown> {
  if (data === undefined || typeof data.jobId !== "string") return data ?? {};
  const kept = Object.entries(data).filter(([key, value]) => !OF_A_RUN.includes(key) && (key !== "status" || value === ENDED));
  return Object.fromEntries(kept);
}

/** What one does to the nodes that are selected: each a single push, and a single step to undo. */
import type { NodeRecord, Op, XY } from "../client";
import type { Canvas, Wire } from "../react";
import { say } from "../ui/toasts";
import { fragmentOf, middleOf, NOTE, planted, type Fragment } from "./fragment";
import { housing, type Coming } from "./frames";

const MOST_BYTES = (4 << 20) - 4096; // of a message, less the envelope: the server closes the socket on a longer one
const ASIDE = 32; // a duplicate does not cover its original

export function selectedIds(canvas: Canvas): string[] {
  return canvas.store.getState().nodes.flatMap((node) => (node.selected ? node.id : []));
}

/** The records of these nodes, as everybody has them. */
export function recordsOf(canvas: Canvas, ids: readonly string[]): NodeRecord[] {
  const wanted = new Set(ids);
  return canvas.room.getState().document.nodes.filter((node) => wanted.has(node.id));
}

export function selectedFragment(canvas: Canvas): Fragment {
  return fragmentOf(canvas.room.getState().document, selectedIds(canvas));
}

/** Puts one card at its place of the canvas, into the frame that is there. `wire`: drawn in the same step. */
export function addCard(canvas: Canvas, card: Coming, wire?: Wire): string {
  return canvas.addNode(housing(canvas.store.getState().nodes)(card), wire);
}

/** Puts the fragment's middle at this place of the canvas, and selects it there. */
export function plant(canvas: Canvas, fragment: Fragment, at: XY): void {
  const middle = middleOf(fragment);
  plantMoved(canvas, fragment, { x: at.x - middle.x, y: at.y - middle.y });
}

function plantMoved(canvas: Canvas, fragment: Fragment, by: XY): void {
  const { ids, ops } = planted(fragment, by, housing(canvas.store.getState().nodes));
  if (!fits(ops)) return;
  void canvas.push(ops);
  canvas.select(ids);
}

function fits(ops: readonly Op[]): boolean {
  const size = new Blob([JSON.stringify(ops)]).size;
  if (size <= MOST_BYTES) return true;
  say(`That is ${(size / (1 << 20)).toFixed(1)} MiB, and 4 MiB fit into one step. Copy it in smaller pieces.`, { tone: "bad" });
  return false;
}

/** Beside the originals, in the groups that they are in. */
export function duplicateSelected(canvas: Canvas): void {
  const { document } = canvas.room.getState();
  const ids = new Set(selectedIds(canvas));
  const { nodes, edges } = fragmentOf(document, ids);
  const inPlace = new Map(document.nodes.map((node) => [node.id, node]));
  if (nodes.length > 0) plantMoved(canvas, { nodes: nodes.map((node) => inPlace.get(node.id) ?? node), edges }, { x: ASIDE, y: ASIDE });
}

export function removeSelected(canvas: Canvas): void {
  const { nodes, edges } = canvas.store.getState();
  const goes = ({ selected, deletable }: { selected?: boolean; deletable?: boolean }): boolean => selected === true && deletable !== false;
  const gone = { nodes: nodes.filter(goes), edges: edges.filter(goes) };
  if (gone.nodes.length + gone.edges.length > 0) canvas.onDelete(gone);
}

const LONGEST_NOTE = 100_000; // characters: more is a document, and slow to draw

export function addNote(canvas: Canvas, text: string, at: XY): void {
  if (text.length > LONGEST_NOTE) {
    say(`That text has ${text.length.toLocaleString()} characters, and a note takes ${LONGEST_NOTE.toLocaleString()}.`, { tone: "bad" });
    return;
  }
  const position = { x: Math.round(at.x - NOTE.width / 2), y: Math.round(at.y - NOTE.height / 2) };
  canvas.select([addCard(canvas, { type: "note", position, data: { text } })]);
}

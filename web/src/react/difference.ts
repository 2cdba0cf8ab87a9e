/**
 * What changed between two versions of a node or an edge, as one update op: registers that belong together are
 * written together, `data` by the deepest paths that differ, and whatever no JSON can hold is not there.
 */
import type { Edge, Node } from "@xyflow/react";
import { isBag, isSame, LOCAL_FIELDS, toPointer, type EdgeRecord, type NodeRecord, type UpdateOp } from "../client";

type Bag = Record<string, unknown>;

const NEVER_SYNCED = new Set<string>([...LOCAL_FIELDS, "id", "data"]);
const ENDS = ["source", "target", "sourceHandle", "targetHandle"];
const SIZE = ["width", "height"];

/** The value as the server will read it; undefined when there is nothing to read. */
function jsonOf(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined; // of a function, a symbol or nothing it is undefined
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}

/** The record that a node or an edge is stored as. */
export function recordOf(item: Node): NodeRecord;
export function recordOf(item: Edge): EdgeRecord;
export function recordOf(item: Node | Edge): NodeRecord | EdgeRecord {
  const synced = Object.entries(item).filter(([key, value]) => !NEVER_SYNCED.has(key) && value !== null);
  const { id, data } = item;
  return jsonOf({ ...Object.fromEntries(synced), id, ...(data && { data }) }) as NodeRecord | EdgeRecord;
}

/** Null and missing say the same at the top of a record, and the same to React Flow. */
function changedKeys(before: Bag, after: Bag): Set<string> {
  const differs = (key: string): boolean =>
    before[key] !== after[key] && !isSame(jsonOf(before[key]) ?? null, jsonOf(after[key]) ?? null);
  return new Set(Object.keys({ ...before, ...after }).filter((key) => !NEVER_SYNCED.has(key) && differs(key)));
}

/** The keys to write: all of a register when one of it has changed. */
function writtenKeys(kind: "node" | "edge", before: Bag, after: Bag): Set<string> {
  const changed = changedKeys(before, after);
  const widen = (keys: readonly string[]): void => {
    if (keys.some((key) => changed.has(key))) for (const key of keys) changed.add(key);
  };
  if (changed.has("parentId")) changed.add("position"); // a place says nothing without the parent it is in
  widen(SIZE);
  if (kind === "edge") widen(ENDS);
  return changed;
}

export function difference(kind: "node" | "edge", before: Bag, after: Bag, id: string): UpdateOp | null {
  const set: Record<string, unknown> = {};
  const unset: string[] = [];
  for (const key of writtenKeys(kind, before, after)) {
    const value = jsonOf(after[key]);
    if (value != null) set[toPointer(key)] = value;
    else if (before[key] != null) unset.push(toPointer(key));
  }
  if (before.data !== after.data) compareData(jsonOf(before.data), jsonOf(after.data), set, unset);
  if (Object.keys(set).length === 0 && unset.length === 0) return null;

  const op: UpdateOp = { op: "update", kind, id, set };
  if (unset.length > 0) op.unset = unset;
  if ("/position" in set) op.parentId = (after.parentId ?? null) as string | null;
  return op;
}

function compareData(before: unknown, after: unknown, set: Record<string, unknown>, unset: string[]): void {
  if (!isBag(after)) {
    if (isBag(before)) unset.push("/data");
    return;
  }
  if (!isBag(before) && Object.keys(after).length === 0) set["/data"] = {};
  compare(["data"], isBag(before) ? before : {}, after, set, unset);
}

function compare(path: string[], before: Bag, after: Bag, set: Record<string, unknown>, unset: string[]): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is] = [before[key], after[key]];
    const at = [...path, key];
    if (!(key in after)) unset.push(toPointer(...at));
    else if (isBag(was) && isBag(is)) compare(at, was, is, set, unset);
    else if (!(key in before) || !isSame(was, is)) set[toPointer(...at)] = is;
  }
}

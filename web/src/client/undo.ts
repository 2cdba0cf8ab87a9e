/**
 * Undo and redo of one tab's own work. A step remembers what it changed; its inverse is made at the moment of undoing,
 * from the document as it then is, and leaves alone what others have written since. The inverse is itself a step,
 * with its own inverse: that is redo.
 */
import { apply } from "./ops";
import { isSame, parsePointer, valueAt } from "./pointer";
import type { EdgeRecord, GraphDocument, NodeRecord, Op, Result, UpdateOp } from "./types";

type Kind = "node" | "edge";

/** One pointer of a record; `undefined` says that there was nothing. */
interface Edit {
  pointer: string;
  before: unknown;
  after: unknown;
}

interface Removed {
  kind: Kind;
  record: NodeRecord | EdgeRecord;
  index: number;
}

type Part =
  | { type: "edited"; kind: Kind | "workflow"; id: string; edits: Edit[] }
  | { type: "added"; kind: Kind; ids: string[] }
  | { type: "removed"; items: Removed[] };

export interface Step {
  parts: Part[];
  /** The latest of its transactions; null until the server has answered. */
  seq: number | null;
  /** Pushes that are not answered yet. */
  waiting: number;
  madeAt: number;
}

/** What has to be pushed: `shown` is how `ops` look from here, where only the server knows what `restore` brings back. */
export interface Turn {
  step: Step;
  ops: Op[];
  shown: Op[];
  undoOf: number | undefined;
}

const STEPS = 200;
const TYPING_MS = 2000; // typing arrives every 400 ms; a pause longer than this begins a new thought

export class History {
  private undoable: Step[] = [];
  private redoable: Step[] = [];

  get canUndo(): boolean {
    return this.undoable.length > 0;
  }

  get canRedo(): boolean {
    return this.redoable.length > 0;
  }

  /** Notes an edit that is about to be made; null when it changes nothing. */
  record(document: GraphDocument, ops: readonly Op[]): Step | null {
    const step = stepOf(document, ops);
    if (step.parts.length === 0) return null;
    const last = this.undoable.at(-1);
    const isTyped = last !== undefined && !this.canRedo && isTyping(last, step);
    this.redoable = [];
    if (isTyped) return grown(last, step);
    this.undoable = [...this.undoable, step].slice(-STEPS);
    return step;
  }

  undo(document: GraphDocument): Turn | null {
    const turn = this.turn(this.undoable, document);
    if (turn !== null) this.redoable = [...this.redoable, turn.step].slice(-STEPS);
    return turn;
  }

  redo(document: GraphDocument): Turn | null {
    const turn = this.turn(this.redoable, document);
    if (turn !== null) this.undoable = [...this.undoable, turn.step].slice(-STEPS);
    return turn;
  }

  /** The server's answer to one of the step's pushes. */
  settle(step: Step, result: Result, hasTransaction = true): void {
    step.waiting--;
    if (result.outcome === "reject") return this.forget(step);
    if (hasTransaction && result.seq > 0) step.seq = result.seq; // else it is the number of somebody else's
    if (result.ops) amend(step, result.ops);
  }

  /** Somebody else's transaction: what it wrote is not ours to take back any more. */
  heed(ops: readonly Op[]): void {
    const steps = [...this.undoable, ...this.redoable];
    for (const op of ops) for (const step of steps) yieldTo(op, step);
  }

  clear(): void {
    this.undoable = [];
    this.redoable = [];
  }

  /** Takes the newest step that still has something to take back. */
  private turn(steps: Step[], document: GraphDocument): Turn | null {
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const { ops, shown } = inverse(step, document);
      if (ops.length === 0) continue;
      const next = { ...stepOf(document, shown), madeAt: -Infinity };
      return { step: next, ops, shown, undoOf: step.seq ?? undefined };
    }
    return null;
  }

  private forget(step: Step): void {
    this.undoable = this.undoable.filter((each) => each !== step);
    this.redoable = this.redoable.filter((each) => each !== step);
  }
}

// What a step did

function stepOf(document: GraphDocument, ops: readonly Op[]): Step {
  const parts: Part[] = [];
  let before = document;
  for (const op of ops) {
    const after = apply(before, [op]);
    if (after !== before) parts.push(partOf(op, before, after));
    before = after;
  }
  return { parts, seq: null, waiting: 1, madeAt: Date.now() };
}

function partOf(op: Op, before: GraphDocument, after: GraphDocument): Part {
  switch (op.op) {
    case "add":
      return { type: "added", kind: op.kind, ids: [op.record.id] };
    case "update":
      return editedPart(op.kind, op.id, [...Object.keys(op.set ?? {}), ...(op.unset ?? [])], before, after);
    case "workflow":
      return editedPart("workflow", "", Object.keys(op.set), before, after);
    case "remove":
      return {
        type: "removed",
        items: [...gone("node", before.nodes, after.nodes), ...gone("edge", before.edges, after.edges)],
      };
    case "restore":
      throw new Error("A restore is recorded by what it shows.");
  }
}

function editedPart(kind: Kind | "workflow", id: string, pointers: string[], before: GraphDocument, after: GraphDocument): Part {
  const [was, is] = [target(before, kind, id), target(after, kind, id)];
  const edits = [...new Set(pointers)]
    .map((pointer) => ({ pointer, before: valueAt(was, pointer), after: valueAt(is, pointer) }))
    .filter((edit) => !isSame(edit.before, edit.after));
  return { type: "edited", kind, id, edits };
}

function gone(kind: Kind, before: readonly Removed["record"][], after: readonly Removed["record"][]): Removed[] {
  if (before === after) return [];
  const left = new Set(after.map((record) => record.id));
  return before.flatMap((record, index) => (left.has(record.id) ? [] : [{ kind, record, index }]));
}

function target(document: GraphDocument, kind: Kind | "workflow", id: string): Record<string, unknown> | undefined {
  if (kind === "workflow") return document.workflow;
  return kind === "node" ? document.nodes.find((node) => node.id === id) : document.edges.find((edge) => edge.id === id);
}

function onlyEdit(step: Step): { id: string; edit: Edit } | null {
  const part = step.parts[0];
  if (step.parts.length !== 1 || part?.type !== "edited" || part.edits.length !== 1) return null;
  const edit = part.edits[0];
  return edit === undefined ? null : { id: `${part.kind} ${part.id}`, edit };
}

/** Whether `step` goes on with the same text that `last` wrote. */
function isTyping(last: Step, step: Step): boolean {
  const [one, other] = [onlyEdit(last), onlyEdit(step)];
  if (one === null || other === null || step.madeAt - last.madeAt > TYPING_MS) return false;
  const isText = typeof one.edit.after === "string" && typeof other.edit.after === "string";
  return isText && one.id === other.id && one.edit.pointer === other.edit.pointer && one.edit.after === other.edit.before;
}

function grown(last: Step, step: Step): Step {
  const [one, other] = [onlyEdit(last), onlyEdit(step)];
  if (one !== null && other !== null) one.edit.after = other.edit.after;
  last.madeAt = step.madeAt;
  last.waiting++;
  return last;
}

// What others and the server did to it

/** The server changed the push: what it really did is what can be taken back. */
function amend(step: Step, ops: readonly Op[]): void {
  const added = ops.filter((op) => op.op === "add");
  if (added.length > 0) {
    const parts = added.map((op): Part => ({ type: "added", kind: op.kind, ids: [op.record.id] }));
    const at = step.parts.findIndex((part) => part.type === "added");
    const rest: Part[] = step.parts.filter((part) => part.type !== "added");
    step.parts = rest.toSpliced(Math.max(at, 0), 0, ...parts);
  }
  for (const op of ops) {
    if (op.op !== "update" || !op.set) continue;
    for (const edit of editsOf(step, op)) if (edit.pointer in op.set) edit.after = op.set[edit.pointer];
  }
}

function editsOf(step: Step, { kind, id }: { kind: Kind; id: string }): Edit[] {
  return step.parts.flatMap((part) => (part.type === "edited" && part.kind === kind && part.id === id ? part.edits : []));
}

/** A transaction ordered before the step only changes what there was before it; one after it keeps what it wrote. */
function yieldTo(op: Op, step: Step): void {
  const isPending = step.waiting > 0;
  if (op.op === "update") yieldEdits(op, step, isPending);
  if (!isPending || op.op === "update") return;
  for (const part of step.parts) {
    if (op.op === "add" && part.type === "added") part.ids = part.ids.filter((id) => part.kind !== op.kind || id !== op.record.id);
    if (op.op === "remove" && part.type === "removed") {
      part.items = part.items.filter(({ kind, record }) => kind !== op.kind || !op.ids.includes(record.id));
    }
  }
}

function yieldEdits(op: UpdateOp, step: Step, isPending: boolean): void {
  const written = [...Object.keys(op.set ?? {}), ...(op.unset ?? [])];
  for (const part of step.parts) {
    if (part.type !== "edited" || part.kind !== op.kind || part.id !== op.id) continue;
    if (!isPending) {
      part.edits = part.edits.filter((edit) => !written.some((pointer) => overlaps(edit.pointer, pointer)));
      continue;
    }
    for (const edit of part.edits) if (written.includes(edit.pointer)) edit.before = op.set?.[edit.pointer];
  }
}

const REGISTERS: Record<string, string> = {
  parentId: "frame", position: "frame", extent: "frame", expandParent: "frame",
  width: "size", height: "size",
  source: "ends", target: "ends", sourceHandle: "ends", targetHandle: "ends",
};

/** Pointers that are one register, or one inside the other, are written together. */
function registerOf(pointer: string): string {
  return REGISTERS[parsePointer(pointer)[0] ?? ""] ?? pointer;
}

function overlaps(one: string, other: string): boolean {
  return registerOf(one) === registerOf(other) || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}

// Taking it back

function inverse(step: Step, document: GraphDocument): { ops: Op[]; shown: Op[] } {
  const ops: Op[] = [];
  const shown: Op[] = [];
  let now = document;
  let isRestored = false;
  const added = new Set(step.parts.flatMap((part) => (part.type === "added" ? part.ids : [])));
  const show = (list: Op[]): boolean => {
    const after = apply(now, list);
    if (after === now) return false;
    now = after;
    shown.push(...list);
    return true;
  };
  for (const part of step.parts.toReversed()) {
    if (part.type !== "removed") {
      const op = part.type === "added" ? removal(part.kind, part.ids, added, now) : reverted(part, now);
      if (op !== null && show([op])) ops.push(op);
    } else if (step.seq === null) {
      const adds = additions(part.items);
      for (const add of adds) if (hasSupport(add, now) && show([add])) ops.push(add);
    } else if (!isRestored) {
      isRestored = true;
      const adds = additions(step.parts.flatMap((each) => (each.type === "removed" ? each.items : [])));
      const isMissed = adds.filter((add) => hasSupport(add, now) && show([add])).length > 0;
      if (isMissed) ops.push({ op: "restore", seq: step.seq });
    }
  }
  return { ops: joined(ops), shown: joined(shown) };
}

type AddOp = Extract<Op, { op: "add" }>;

function additions(items: readonly Removed[]): AddOp[] {
  const inOrder = items.toSorted((a, b) => (a.kind === b.kind ? a.index - b.index : a.kind === "node" ? -1 : 1));
  return inOrder.map(({ kind, record, index }) => ({ op: "add", kind, record, index }) as AddOp);
}

function hasSupport(op: AddOp, { nodes }: GraphDocument): boolean {
  const needed = op.kind === "edge" ? [op.record.source, op.record.target] : [op.record.parentId];
  return needed.every((id) => id == null || nodes.some((node) => node.id === id));
}

/** A group in which others have put something meanwhile stays: taking it back would take theirs along. */
function removal(kind: Kind, ids: readonly string[], ours: ReadonlySet<string>, { nodes }: GraphDocument): Op | null {
  const isInside = (node: NodeRecord): boolean => node.parentId != null && ids.includes(node.parentId);
  const isInUse = kind === "node" && nodes.some((node) => isInside(node) && !ours.has(node.id));
  return isInUse || ids.length === 0 ? null : { op: "remove", kind, ids: [...ids] };
}

function reverted(part: Extract<Part, { type: "edited" }>, document: GraphDocument): Op | null {
  const record = target(document, part.kind, part.id);
  if (record === undefined) return null;
  const isFree = (edit: Edit): boolean => isSame(valueAt(record, edit.pointer), edit.after) && isPossible(edit, document);
  const taken = new Set(part.edits.filter((edit) => !isFree(edit)).map((edit) => registerOf(edit.pointer)));
  const edits = part.edits.filter((edit) => !taken.has(registerOf(edit.pointer)));
  if (edits.length === 0) return null;
  const set = Object.fromEntries(edits.flatMap(({ pointer, before }) => (before === undefined ? [] : [[pointer, before]])));
  const unset = edits.filter(({ before }) => before === undefined).map(({ pointer }) => pointer);
  if (part.kind === "workflow") return { op: "workflow", set };
  const op: UpdateOp = { op: "update", kind: part.kind, id: part.id, set };
  if (unset.length > 0) op.unset = unset;
  if ("/position" in set) op.parentId = parentAfter(op, record);
  return op;
}

/** A parent or an edge's end that is gone cannot be gone back to. */
function isPossible({ pointer, before }: Edit, { nodes }: GraphDocument): boolean {
  const isReference = ["/parentId", "/source", "/target"].includes(pointer);
  return !isReference || before == null || nodes.some((node) => node.id === before);
}

function parentAfter({ set = {}, unset }: UpdateOp, record: Record<string, unknown>): string | null {
  if (unset?.includes("/parentId")) return null;
  return (("/parentId" in set ? set["/parentId"] : record.parentId) ?? null) as string | null;
}

/** Neighbouring removals as one. */
function joined(ops: readonly Op[]): Op[] {
  return ops.reduce<Op[]>((list, op) => {
    const last = list.at(-1);
    if (op.op !== "remove" || last?.op !== "remove" || last.kind !== op.kind) return [...list, op];
    return [...list.slice(0, -1), { ...last, ids: [...last.ids, ...op.ids] }];
  }, []);
}

/**
 * One tab's copy of a workflow, without a socket: the state the server has confirmed, and the pushes it has not
 * answered yet, laid over it. The view is always `confirmed + pending`; nothing edits it by hand.
 */
import { apply, EMPTY_DOCUMENT, keepIdentity } from "./ops";
import type { SavedPush } from "./outbox";
import type { GraphDocument, Op, PushError, Result, Resume, SnapshotPart, Transaction, Welcome, WorkflowFields } from "./types";

export interface Pending {
  clientSeq: number;
  ops: Op[];
  /** How the ops look from here, when only the server knows what they amount to. */
  shown?: Op[] | undefined;
  /** The transaction that this one takes back. */
  undoOf?: number | undefined;
  /** Known to be stored at this seq, though the transaction itself has not reached us yet. */
  storedAt?: number;
  settle: (result: Result) => void;
}

/** What the connection has to do after a message: go on, ask for a fresh copy, or say hello under a new client id. */
export type Verdict = "ok" | "resync" | "renew";

export type Answered = (result: Result) => void;

export class Replica {
  clientId: string;
  confirmed: GraphDocument = EMPTY_DOCUMENT;
  view: GraphDocument = EMPTY_DOCUMENT;
  pending: readonly Pending[] = [];
  seq = 0;
  epoch: string | null = null;
  /** The epoch in which the waiting pushes were numbered, when another tab did that. */
  private adoptedEpoch: string | null = null;
  private ackedClientSeq = 0;
  private nextClientSeq = 1;
  private arriving: { epoch: string; seq: number; workflow: WorkflowFields; parts: SnapshotPart[] } | null = null;
  private stale = false;

  /** `heed` hears of every transaction that somebody else made, in order. */
  constructor(
    private readonly newClientId: () => string,
    private readonly heed: (ops: readonly Op[]) => void = () => undefined,
  ) {
    this.clientId = newClientId();
  }

  /** True while a fresh copy is on its way, so that live messages cannot be applied. */
  get isBehind(): boolean {
    return this.stale || this.arriving !== null || this.epoch === null;
  }

  resume(): Resume | null {
    return this.epoch === null ? null : { epoch: this.epoch, seq: this.seq, ackedClientSeq: this.ackedClientSeq };
  }

  /** Shows the ops at once; `settle` is called with the server's answer. */
  push(ops: Op[], settle: Answered, more: Pick<Pending, "shown" | "undoOf"> = {}): Pending {
    const pending = { clientSeq: this.nextClientSeq++, ops, settle, ...more };
    this.pending = [...this.pending, pending];
    this.refresh();
    return pending;
  }

  /**
   * Goes on where a closed tab stopped, under its id and numbers: what the server has had already it answers as it did
   * then. Only for a replica that has sent nothing of its own yet.
   */
  adopt(clientId: string, saved: readonly SavedPush[], settle: Answered): void {
    const own = this.pending;
    this.startOver(clientId);
    this.adoptedEpoch = saved.at(-1)?.epoch ?? null;
    const first = saved.map(({ clientSeq, ops, undoOf }) => ({ clientSeq, ops, undoOf, settle }));
    this.nextClientSeq = (first.at(-1)?.clientSeq ?? 0) + 1;
    this.pending = [...first, ...this.renumbered(own)];
    this.refresh();
  }

  /** What has to be sent again after a welcome, in order. */
  unsent(): Pending[] {
    return this.pending.filter((pending) => pending.storedAt === undefined);
  }

  welcome(message: Welcome): Verdict {
    const known = this.epoch ?? this.adoptedEpoch;
    const isNewEpoch = known !== null && message.epoch !== known;
    for (const result of message.results ?? []) this.acknowledge(result);
    if (isNewEpoch) return "renew";
    this.stale = false;
    const { epoch, seq, name, viewport } = message;
    this.arriving = message.mode === "snapshot" ? { epoch, seq, workflow: { name, viewport }, parts: [] } : null;
    if (message.mode === "resume") this.dropStored();
    this.refresh();
    return "ok";
  }

  /** Returns true with the last part, when the whole document is in place. */
  snapshotPart(part: SnapshotPart): boolean {
    if (this.arriving === null) return false;
    const parts = [...this.arriving.parts, part];
    if (parts.length < part.parts) {
      this.arriving = { ...this.arriving, parts };
      return false;
    }
    const { epoch, seq, workflow } = this.arriving;
    this.epoch = epoch;
    this.seq = seq;
    this.arriving = null;
    const nodes = parts.flatMap((each) => each.nodes);
    const edges = parts.flatMap((each) => each.edges);
    this.confirmed = keepIdentity(this.confirmed, { workflow, nodes, edges });
    this.dropStored();
    this.refresh();
    return true;
  }

  transactions(list: readonly Transaction[]): Verdict {
    if (this.isBehind) return "ok"; // the fresh copy will hold them
    for (const transaction of list) {
      if (transaction.seq <= this.seq) continue;
      if (transaction.seq > this.seq + 1) return this.lost();
      this.confirmed = apply(this.confirmed, transaction.ops);
      this.seq = transaction.seq;
      if (transaction.by.clientId === this.clientId) this.dropOwn(transaction);
      else this.heed(transaction.ops);
    }
    this.dropStored();
    this.refresh();
    return "ok";
  }

  result(result: Result): Verdict {
    const code = result.error?.code;
    if (code === "CLIENT_SEQ_REUSED" || code === "SEQ_GAP") return "renew";
    const pending = this.acknowledge(result);
    if (pending === undefined || this.isBehind) return "ok";
    if (result.seq > this.seq + 1) return this.lost();
    if (result.seq === this.seq + 1) {
      const after = apply(this.confirmed, result.ops ?? pending.ops);
      // A push without effect is answered with the head, which may belong to a transaction still on its way.
      if (after !== this.confirmed || result.outcome === "rebase") {
        this.confirmed = after;
        this.seq = result.seq;
      }
    }
    this.drop(pending, result);
    this.refresh();
    return "ok";
  }

  /** Starts over under a new client id; whatever was never acknowledged is numbered afresh and kept. */
  renew(): void {
    for (const pending of this.pending) {
      if (pending.storedAt !== undefined) this.drop(pending, committed(pending, pending.storedAt));
    }
    this.startOver(this.newClientId());
    this.pending = this.renumbered(this.pending);
    this.refresh();
  }

  /** Gives up on every unanswered push, which rolls them back here. */
  abandon(error: PushError): void {
    for (const pending of this.pending) {
      this.drop(pending, { clientSeq: pending.clientSeq, seq: this.seq, outcome: "reject", error });
    }
    this.renew();
  }

  private startOver(clientId: string): void {
    this.clientId = clientId;
    this.epoch = null;
    this.adoptedEpoch = null;
    this.arriving = null;
    this.stale = false;
    this.seq = 0;
    this.ackedClientSeq = 0;
    this.nextClientSeq = 1;
  }

  private renumbered(list: readonly Pending[]): Pending[] {
    return list.map((pending) => ({ ...pending, clientSeq: this.nextClientSeq++ }));
  }

  private lost(): Verdict {
    this.stale = true;
    this.refresh();
    return "resync";
  }

  /** Notes the answer; a rejected push is rolled back here, a stored one waits for its place in the order. */
  private acknowledge(result: Result): Pending | undefined {
    this.ackedClientSeq = Math.max(this.ackedClientSeq, result.clientSeq);
    const pending = this.pending.find((each) => each.clientSeq === result.clientSeq);
    if (pending === undefined) return undefined;
    if (result.outcome === "reject") {
      this.drop(pending, result);
      this.refresh();
      return undefined;
    }
    const stored = { ...pending, storedAt: result.seq };
    this.pending = this.pending.map((each) => (each === pending ? stored : each));
    return stored;
  }

  private drop(pending: Pending, result: Result): void {
    this.pending = this.pending.filter((each) => each !== pending);
    pending.settle(result);
  }

  private dropOwn(transaction: Transaction): void {
    const own = this.pending.find((each) => each.clientSeq === transaction.by.clientSeq);
    if (own !== undefined) this.drop(own, committed(own, transaction.seq));
  }

  private dropStored(): void {
    for (const pending of this.pending) {
      const at = pending.storedAt;
      if (at !== undefined && at <= this.seq) this.drop(pending, committed(pending, at));
    }
  }

  private refresh(): void {
    const laid = this.pending.reduce((document, pending) => apply(document, pending.shown ?? pending.ops), this.confirmed);
    this.view = keepIdentity(this.view, laid);
  }
}

function committed(pending: Pending, seq: number): Result {
  return { clientSeq: pending.clientSeq, seq, outcome: "commit" };
}

/**
 * One tab's copy of a workflow, without a socket: the state the server has confirmed, and the pushes it has not
 * answered yet, laid over it. The view is always `confirmed + pending`; nothing edits it by hand.
 */
import { apply, EMPTY_DOCUMENT, keepIdentity } from "./ops";
import type { SavedPush } from "./outbox";
import type { GraphDocument, Op, PushError, Result, Resume, SnapshotPart, Transaction, Welcome, WorkflowFields } from "./types";

export interface Pending {
  /** Whose number it is: this tab's, or that of a closed tab whose work it finishes. */
  clientId: string;
  clientSeq: number;
  ops: Op[];
  /** How the ops look from here, when only the server knows what they amount to. */
  shown?: Op[] | undefined;
  /** The transaction that this one takes back. */
  undoOf?: number | undefined;
  /** Known to be stored at this seq, though the transaction itself has not reached us yet. */
  storedAt?: number;
  settle: Answered;
}

/** What the connection has to do after a message: go on, push again, ask for a fresh copy, or say hello under a new client id. */
export type Verdict = "ok" | "resend" | "resync" | "renew";

/** `hasTransaction`: false when the push is known to have changed nothing; its seq is then that of somebody else's. */
export type Answered = (result: Result, hasTransaction: boolean) => void;

export class Replica {
  /** Who this tab says it is: itself, or the closed tab whose pushes it is finishing. */
  clientId: string;
  private ownId: string;
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
    this.clientId = this.ownId = newClientId();
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
    const pending = { clientId: this.ownId, clientSeq: this.nextClientSeq++, ops, settle, ...more };
    this.pending = [...this.pending, pending];
    this.refresh();
    return pending;
  }

  /**
   * Finishes what a closed tab began, under its id and numbers: what the server has had already it answers as it did
   * then. What is made here meanwhile waits under an id of its own, because nobody knows which numbers the closed tab
   * had used besides. Only for a replica that waits for no answer.
   */
  adopt(clientId: string, saved: readonly SavedPush[], settle: Answered): void {
    const own = this.pending;
    if (own.length === 0) this.startOver(this.newClientId());
    this.epoch = null;
    this.clientId = clientId;
    this.ackedClientSeq = 0;
    this.adoptedEpoch = saved.at(-1)?.epoch ?? null;
    const theirs = saved.map(({ clientSeq, ops, undoOf }) => ({ clientId, clientSeq, ops, undoOf, settle }));
    this.pending = [...theirs, ...own];
    this.refresh();
  }

  /** Whether a closed tab's pushes are all answered, so that this tab can be itself again. */
  get hasFinished(): boolean {
    return this.clientId !== this.ownId && this.pending.every(({ clientId }) => clientId === this.ownId);
  }

  beItself(): void {
    this.clientId = this.ownId;
    this.ackedClientSeq = 0;
  }

  /** What has to be sent again after a welcome, in order. */
  unsent(): Pending[] {
    return this.pending.filter((pending) => pending.storedAt === undefined && pending.clientId === this.clientId);
  }

  welcome(message: Welcome): Verdict {
    const known = this.epoch ?? this.adoptedEpoch;
    const isNewEpoch = known !== null && message.epoch !== known;
    for (const result of message.results ?? []) this.acknowledge(result);
    if (isNewEpoch) {
      // What the new history has of ours was stored before it parted from the old one, though nobody told us.
      for (const pending of this.unsent()) {
        if (pending.clientSeq <= message.lastClientSeq) this.drop(pending, committed(pending, message.seq));
      }
      return "renew";
    }
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
    if (code === "CLIENT_SEQ_REUSED") return "renew";
    if (code === "SEQ_GAP") return this.goBack(result.lastClientSeq ?? null);
    const pending = this.acknowledge(result);
    if (pending === undefined || this.isBehind) return "ok";
    if (result.seq > this.seq + 1) return this.lost();
    const hasTransaction = result.seq > this.seq;
    if (hasTransaction) {
      const after = apply(this.confirmed, result.ops ?? pending.ops);
      // A push without effect is answered with the head, which may belong to a transaction still on its way.
      if (after !== this.confirmed || result.outcome === "rebase") {
        this.confirmed = after;
        this.seq = result.seq;
      }
    }
    this.drop(pending, result, hasTransaction);
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

  /** The server has not had some number below ours: what waits is numbered from there on. */
  private goBack(last: number | null): Verdict {
    const waiting = this.unsent();
    const first = waiting[0];
    if (last === null || first === undefined) return "renew";
    if (first.clientSeq > last + 1) {
      const down = first.clientSeq - last - 1;
      const isWaiting = new Set(waiting);
      this.pending = this.pending.map((each) => (isWaiting.has(each) ? { ...each, clientSeq: each.clientSeq - down } : each));
      if (this.clientId === this.ownId) this.nextClientSeq -= down;
    }
    return "resend"; // what comes twice has one answer
  }

  private startOver(clientId: string): void {
    this.clientId = this.ownId = clientId;
    this.epoch = null;
    this.adoptedEpoch = null;
    this.arriving = null;
    this.stale = false;
    this.seq = 0;
    this.ackedClientSeq = 0;
    this.nextClientSeq = 1;
  }

  private renumbered(list: readonly Pending[]): Pending[] {
    return list.map((pending) => ({ ...pending, clientId: this.ownId, clientSeq: this.nextClientSeq++ }));
  }

  private lost(): Verdict {
    this.stale = true;
    this.refresh();
    return "resync";
  }

  /** Notes the answer; a rejected push is rolled back here, a stored one waits for its place in the order. */
  private acknowledge(result: Result): Pending | undefined {
    this.ackedClientSeq = Math.max(this.ackedClientSeq, result.clientSeq);
    const pending = this.numbered(result.clientSeq);
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

  private numbered(clientSeq: number | null | undefined): Pending | undefined {
    return this.pending.find((each) => each.clientSeq === clientSeq && each.clientId === this.clientId);
  }

  private drop(pending: Pending, result: Result, hasTransaction = result.outcome !== "reject"): void {
    this.pending = this.pending.filter((each) => each !== pending);
    pending.settle(result, hasTransaction);
  }

  private dropOwn(transaction: Transaction): void {
    const own = this.numbered(transaction.by.clientSeq);
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

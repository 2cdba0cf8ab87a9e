/**
 * A live workflow: joins the replica (the document), the connection (the socket) and presence (the others), and
 * offers one immutable state to whoever draws it.
 */
import { Connection, type CloseAction, type Door, type SocketLike } from "./connection";
import { newId } from "./id";
import { Orphans } from "./orphans";
import { Keeper, type Outbox } from "./outbox";
import { endDragsOf, mergePeers, PresenceSender } from "./presence";
import { heard, runsByNode, unheard, type RoomState } from "./roomState";
import { History, type Step, type Turn } from "./undo";
import { Replica, type Answered, type Pending, type Verdict } from "./replica";
import type { Op, PresencePatch, PushError, Result, Role, ServerMessage, Transaction, Welcome } from "./types";

export interface RoomOptions {
  url: string;
  open?: (url: string) => SocketLike;
  newClientId?: () => string;
  random?: () => number;
  /** Keeps unanswered pushes over a reload; without it they live as long as the page. */
  outbox?: Outbox | undefined;
  /** For an Easel of another origin, where the page's cookie lets nobody in. */
  door?: Door | undefined;
  /** A push was refused and rolled back. */
  onReject?: (error: PushError) => void;
  /** The server's word on something that is no document change (notice, error). */
  onNotice?: (code: string, detail: string) => void;
}

const REPLACED = 4010;
const KEPT: PushError = { code: "ROOM_CLOSED", detail: "The canvas was closed. The change waits here until it is opened again." };
const READ_ONLY: Result = {
  clientSeq: 0,
  seq: 0,
  outcome: "reject",
  error: { code: "FORBIDDEN", detail: "You can look at this canvas, but not change it." },
};
const CLOSED: PushError = { code: "ROOM_CLOSED", detail: "The canvas was closed before the change was saved." };

export class Room {
  private state: RoomState;
  private readonly listeners = new Set<() => void>();
  private readonly replica: Replica;
  private readonly connection: Connection;
  private readonly presence: PresenceSender;
  private readonly history = new History();
  private readonly keeper: Keeper | null;
  private readonly orphans: Orphans | null;
  private awaited: Promise<void> | null = null;
  private visits = 0;
  private isJoined = false;
  private sessionId: string | null = null;
  private pongSeq = 0;
  private idle: (() => void)[] = [];

  constructor(private readonly options: RoomOptions) {
    this.replica = new Replica(options.newClientId ?? newId, (ops) => this.history.heed(ops));
    this.keeper = options.outbox ? new Keeper(options.outbox, () => this.publish()) : null;
    this.orphans = this.keeper && new Orphans(this.keeper);
    this.presence = new PresenceSender((set) => {
      if (this.state.connection === "live") this.connection.send({ type: "presence", set });
    });
    const open = options.open ?? ((url: string) => new WebSocket(url) as SocketLike);
    this.connection = new Connection(
      options.url,
      open,
      {
        opened: () => this.hello(),
        message: (message) => this.receive(message),
        down: (action, code) => this.onDown(action, code),
      },
      options.random,
      options.door,
    );
    this.state = unheard(this.replica.view, this.keeper !== null);
  }

  readonly getState = (): RoomState => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  join(): void {
    this.isJoined = true;
    const visit = ++this.visits;
    if (this.orphans === null) return this.connection.start();
    void this.orphans.look().then(() => {
      if (visit !== this.visits) return;
      this.adopt();
      this.publish();
      this.connection.start();
    });
  }

  /** Hangs up. Changes that were never acknowledged stay in the outbox, or are lost without one; `join` comes back afresh. */
  leave(): void {
    this.isJoined = false;
    this.visits++;
    this.orphans?.forget();
    this.connection.stop();
    this.presence.stop();
    this.keeper?.release();
    this.history.clear();
    this.replica.abandon(this.state.isDurable ? KEPT : CLOSED);
    this.publish({ connection: "connecting", peers: {} });
  }

  retryNow(): void {
    this.connection.retryNow();
  }

  /** Applies the ops here at once and answers with the server's verdict, which may take a reconnect to come. */
  push(ops: Op[]): Promise<Result> {
    if (this.state.role === "viewer") return this.refuse();
    return this.commit(ops, this.history.record(this.replica.view, ops));
  }

  /** Takes back this tab's latest step, as far as nobody has written over it; undefined when there is none. */
  undo(): Promise<Result> | undefined {
    if (this.state.role === "viewer") return this.refuse();
    const { canUndo } = this.history;
    return this.turn(this.history.undo(this.replica.view), canUndo);
  }

  redo(): Promise<Result> | undefined {
    if (this.state.role === "viewer") return this.refuse();
    const { canRedo } = this.history;
    return this.turn(this.history.redo(this.replica.view), canRedo);
  }

  /** A viewer's edit is not worth the way to the server, but never vanishes without a word. */
  private refuse(): Promise<Result> {
    this.answered(READ_ONLY);
    return Promise.resolve(READ_ONLY);
  }

  private turn(turn: Turn | null, wasThere: boolean): Promise<Result> | undefined {
    if (turn !== null) return this.commit(turn.ops, turn.step, turn);
    this.publish();
    if (wasThere) this.options.onNotice?.("NOTHING_LEFT", "Others have changed that since. It stays as it is.");
    return undefined;
  }

  private commit(ops: Op[], step: Step | null, turn?: Turn): Promise<Result> {
    const answer = new Promise<Result>((resolve) => {
      const settle: Answered = (result, hasTransaction) => {
        if (step !== null) this.history.settle(step, result, hasTransaction);
        this.answered(result);
        resolve(result);
      };
      const pending = this.replica.push(ops, settle, turn && { shown: turn.shown, undoOf: turn.undoOf });
      if (pending.clientId === this.replica.clientId && this.maySend) this.sendPush(pending);
    });
    this.publish();
    return answer;
  }

  private readonly answered = ({ error }: Result): void => {
    if (error && error !== KEPT) this.options.onReject?.(error);
  };

  /** Resolves when the server has answered every push made so far and since. */
  settled(): Promise<void> {
    if (this.replica.pending.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  setPresence(patch: PresencePatch): void {
    this.presence.set(patch);
  }

  /** Goes on with what a closed tab could not get answered. */
  private adopt(): void {
    const saved = this.orphans?.take() ?? [];
    const clientId = saved[0]?.clientId;
    if (clientId !== undefined) this.replica.adopt(clientId, saved, this.answered);
  }

  private hello(): void {
    const { clientId } = this.replica;
    this.connection.send({ type: "hello", protocol: 1, clientId, resume: this.replica.resume() });
  }

  private sendPush(pending: Pending): void {
    this.presence.hurry();
    const undoOf = pending.undoOf === undefined ? {} : { undoOf: pending.undoOf };
    this.connection.send({ type: "push", clientSeq: pending.clientSeq, ops: pending.ops, ...undoOf });
  }

  private resend(): void {
    if (!this.maySend) return; // all of it goes out when the document is whole and the disk knows the numbers
    for (const pending of this.replica.unsent()) this.sendPush(pending);
  }

  private get maySend(): boolean {
    if (this.state.connection !== "live" || this.replica.isBehind) return false;
    const renumbering = this.keeper?.renumbering ?? null;
    if (renumbering !== null && renumbering !== this.awaited) {
      this.awaited = renumbering;
      void renumbering.then(() => this.resend());
    }
    return renumbering === null;
  }

  private receive(message: ServerMessage): void {
    switch (message.type) {
      case "welcome":
        return this.onWelcome(message);
      case "snapshot":
        if (this.replica.snapshotPart(message)) this.onCurrent();
        return this.publish();
      case "ops":
        return this.onOps(message.transactions);
      case "result":
        return this.heed(this.replica.result(message));
      case "frame":
        return this.publish(heard(this.state, message, this.sessionId));
      case "role":
        return this.onRole(message.role);
      case "pong":
        return this.onPong(message.seq);
      case "notice":
      case "error":
        return this.options.onNotice?.(message.code, message.detail ?? "");
    }
  }

  private onWelcome(message: Welcome): void {
    this.sessionId = message.sessionId;
    this.connection.settled();
    if (this.replica.welcome(message) === "renew") {
      this.history.clear(); // its numbers belong to an epoch that is over
      return this.heed("renew");
    }
    const peers = mergePeers({}, message.presence, [message.sessionId]);
    this.publish({ peers, runs: runsByNode(message.runs ?? []) });
    this.onRole(message.role);
    this.publish({ mayRun: message.mayRun ?? message.role !== "viewer" });
    if (message.mode === "resume") this.onCurrent();
  }

  private onOps(transactions: readonly Transaction[]): void {
    this.state = { ...this.state, peers: endDragsOf(this.state.peers, transactions) };
    this.heed(this.replica.transactions(transactions));
  }

  private onRole(role: Role): void {
    const before = this.state.role;
    this.publish({ role });
    const mayEdit = role !== "viewer";
    if (before === null || mayEdit === (before !== "viewer")) return;
    this.publish({ mayRun: mayEdit });
    this.options.onNotice?.(
      "ROLE_CHANGED",
      mayEdit ? "You can change this canvas now." : "You can only look at this canvas now. What you were moving went back.",
    );
  }

  /** The document is whole and the stream is attached: only now is the room live. */
  private onCurrent(): void {
    this.publish({ connection: "live", closeCode: null, isLoaded: true });
    this.pongSeq = 0;
    if (this.replica.hasFinished) return this.heed("ok"); // it was all answered while the connection was away
    this.resend();
    this.presence.repeat();
    if (this.orphans?.isEmpty) void this.orphans.look().then(() => this.publish());
  }

  /** A head that we have not reached a whole ping later means that something was lost on the way. */
  private onPong(seq: number): void {
    const isLost = this.pongSeq > this.replica.seq && !this.replica.isBehind;
    this.pongSeq = seq;
    if (isLost) this.reconnect();
  }

  /** Comes back at once: the others see who one is now. */
  reconnect(): void {
    this.publish({ connection: "reconnecting" });
    this.connection.restart();
  }

  private onDown(action: CloseAction, code: number): void {
    // Another tab works under this id. Nothing is lost by taking a new one; with both keeping it they would take turns forever.
    if (code === REPLACED && this.replica.pending.length === 0) this.replica.renew();
    const connection = action === "retry" ? (this.state.isLoaded ? "reconnecting" : "connecting") : STATE_AFTER[action];
    this.publish({ connection, closeCode: code, peers: {} });
  }

  private heed(verdict: Verdict): void {
    if (verdict === "resync") this.connection.send({ type: "resync" });
    if (verdict === "resend") {
      this.publish();
      this.resend();
    }
    if (verdict === "renew") {
      this.replica.renew();
      this.reconnect();
    }
    this.publish();
    if (this.replica.hasFinished && this.state.connection === "live") {
      this.replica.beItself();
      this.reconnect();
    }
  }

  private publish(change: Partial<RoomState> = {}): void {
    const { epoch, view, pending } = this.replica;
    if (this.isJoined) this.keeper?.keep(epoch, pending);
    const { canUndo, canRedo } = this.history;
    const isDurable = this.keeper?.isDurable ?? false;
    this.state = { ...this.state, ...change, document: view, pendingCount: pending.length, isDurable, canUndo, canRedo };
    if (pending.length === 0) this.onIdle();
    for (const listener of this.listeners) listener();
  }

  private onIdle(): void {
    const waiting = this.idle;
    this.idle = [];
    for (const resolve of waiting) resolve();
    if (this.orphans === null || this.orphans.isEmpty || this.state.connection !== "live") return;
    this.adopt();
    this.reconnect();
  }
}

const STATE_AFTER = { "sign-in": "signed-out", stop: "stopped" } as const;

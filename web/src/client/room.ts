/**
 * A live workflow: joins the replica (the document), the connection (the socket) and presence (the others), and
 * offers one immutable state to whoever draws it.
 */
import { Connection, type CloseAction, type SocketLike } from "./connection";
import { mergePeers, PresenceSender, type Peers } from "./presence";
import { Replica, type Pending, type Verdict } from "./replica";
import type {
  Frame,
  GraphDocument,
  Op,
  PresencePatch,
  PushError,
  Result,
  Role,
  Run,
  ServerMessage,
  Welcome,
} from "./types";

export type ConnectionState = "connecting" | "live" | "reconnecting" | "signed-out" | "stopped";

export interface RoomState {
  document: GraphDocument;
  peers: Peers;
  /** The latest news of each node's run, by node id; the node's own data says how it ended. */
  runs: Readonly<Record<string, Run>>;
  connection: ConnectionState;
  closeCode: number | null;
  pendingCount: number;
  role: Role | null;
  /** True from the first complete snapshot on. */
  isLoaded: boolean;
}

export interface RoomOptions {
  url: string;
  open?: (url: string) => SocketLike;
  newClientId?: () => string;
  random?: () => number;
  /** A push was refused and rolled back. */
  onReject?: (error: PushError) => void;
  /** The server's word on something that is no document change (notice, error). */
  onNotice?: (code: string, detail: string) => void;
}

const CLOSED: PushError = { code: "ROOM_CLOSED", detail: "The canvas was closed before the change was saved." };

export class Room {
  private state: RoomState;
  private readonly listeners = new Set<() => void>();
  private readonly replica: Replica;
  private readonly connection: Connection;
  private readonly presence: PresenceSender;
  private sessionId: string | null = null;
  private pongSeq = 0;
  private idle: (() => void)[] = [];

  constructor(private readonly options: RoomOptions) {
    this.replica = new Replica(options.newClientId ?? (() => crypto.randomUUID()));
    this.presence = new PresenceSender((set) => {
      if (this.state.connection === "live") this.connection.send({ type: "presence", set });
    });
    const open = options.open ?? ((url: string) => new WebSocket(url) as SocketLike);
    this.connection = new Connection(
      () => open(options.url),
      {
        opened: () => this.hello(),
        message: (message) => this.receive(message),
        down: (action, code) => this.onDown(action, code),
      },
      options.random,
    );
    this.state = {
      document: this.replica.view,
      peers: {},
      runs: {},
      connection: "connecting",
      closeCode: null,
      pendingCount: 0,
      role: null,
      isLoaded: false,
    };
  }

  readonly getState = (): RoomState => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  join(): void {
    this.connection.start();
  }

  /** Hangs up. Changes that were never acknowledged are answered with a rejection; `join` comes back afresh. */
  leave(): void {
    this.connection.stop();
    this.presence.stop();
    this.replica.abandon(CLOSED);
    this.publish({ connection: "connecting", peers: {} });
  }

  retryNow(): void {
    this.connection.retryNow();
  }

  /** Applies the ops here at once and answers with the server's verdict, which may take a reconnect to come. */
  push(ops: Op[]): Promise<Result> {
    const answer = new Promise<Result>((resolve) => {
      const pending = this.replica.push(ops, (result) => {
        if (result.error) this.options.onReject?.(result.error);
        resolve(result);
      });
      if (this.state.connection === "live" && !this.replica.isBehind) this.sendPush(pending);
    });
    this.publish();
    return answer;
  }

  /** Resolves when the server has answered every push made so far and since. */
  settled(): Promise<void> {
    if (this.replica.pending.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  setPresence(patch: PresencePatch): void {
    this.presence.set(patch);
  }

  private hello(): void {
    const { clientId } = this.replica;
    this.connection.send({ type: "hello", protocol: 1, clientId, resume: this.replica.resume() });
  }

  private sendPush(pending: Pending): void {
    this.connection.send({ type: "push", clientSeq: pending.clientSeq, ops: pending.ops });
  }

  private receive(message: ServerMessage): void {
    switch (message.type) {
      case "welcome":
        return this.onWelcome(message);
      case "snapshot":
        if (this.replica.snapshotPart(message)) this.onCurrent();
        return this.publish();
      case "ops":
        return this.heed(this.replica.transactions(message.transactions));
      case "result":
        return this.heed(this.replica.result(message));
      case "frame":
        return this.onFrame(message);
      case "role":
        return this.publish({ role: message.role });
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
    if (this.replica.welcome(message) === "renew") return this.heed("renew");
    const peers = mergePeers({}, message.presence, [message.sessionId]);
    const runs = Object.fromEntries((message.runs ?? []).map((run) => [run.nodeId, run]));
    this.publish({ role: message.role, peers, runs });
    if (message.mode === "resume") this.onCurrent();
  }

  /** The document is whole and the stream is attached: only now is the room live. */
  private onCurrent(): void {
    this.publish({ connection: "live", closeCode: null, isLoaded: true });
    this.pongSeq = 0;
    for (const pending of this.replica.unsent()) this.sendPush(pending);
    this.presence.repeat();
  }

  private onFrame(frame: Frame): void {
    const left = [...(frame.left ?? []), ...(this.sessionId === null ? [] : [this.sessionId])];
    const peers = frame.presence || frame.left ? mergePeers(this.state.peers, frame.presence, left) : this.state.peers;
    const runs = frame.runs?.length
      ? { ...this.state.runs, ...Object.fromEntries(frame.runs.map((run) => [run.nodeId, run])) }
      : this.state.runs;
    this.publish({ peers, runs });
  }

  /** A head that we have not reached a whole ping later means that something was lost on the way. */
  private onPong(seq: number): void {
    const isLost = this.pongSeq > this.replica.seq && !this.replica.isBehind;
    this.pongSeq = seq;
    if (isLost) this.reconnect();
  }

  private reconnect(): void {
    this.publish({ connection: "reconnecting" });
    this.connection.restart();
  }

  private onDown(action: CloseAction, code: number): void {
    const connection = action === "retry" ? (this.state.isLoaded ? "reconnecting" : "connecting") : STATE_AFTER[action];
    this.publish({ connection, closeCode: code, peers: {} });
  }

  private heed(verdict: Verdict): void {
    if (verdict === "resync") this.connection.send({ type: "resync" });
    if (verdict === "renew") {
      this.replica.renew();
      this.reconnect();
    }
    this.publish();
  }

  private publish(change: Partial<RoomState> = {}): void {
    const { view, pending } = this.replica;
    this.state = { ...this.state, ...change, document: view, pendingCount: pending.length };
    if (pending.length === 0) {
      const waiting = this.idle;
      this.idle = [];
      for (const resolve of waiting) resolve();
    }
    for (const listener of this.listeners) listener();
  }
}

const STATE_AFTER = { "sign-in": "signed-out", stop: "stopped" } as const;

/** One browser tab of the simulator: the real room with its outbox, a socket that reports instead of sending, and a disk that is slow. */
import { MemoryShelf, Room, type GraphDocument, type Op, type Outbox, type Result, type SocketLike } from "../client";
import type { Pending } from "../client/replica";

export type Deed = Record<string, unknown> & { do: string; tab: string; ops?: readonly Op[] | undefined };

export interface PageOptions {
  tab: string;
  /** Counts how often the tab was reloaded, so that no client id comes twice. */
  visit: number;
  shelf: MemoryShelf;
  random: () => number;
  report: (deed: Deed) => void;
  changed: () => void;
}

const SLOWEST_WRITE_MS = 40; // long enough that a tab dies in the middle of some

export class Page {
  readonly room: Room;
  readonly sockets = new Map<number, WireSocket>();
  private isAlive = true;
  private lastConfirmed: GraphDocument | null = null;
  private readonly outbox: Outbox;

  constructor(private readonly options: PageOptions) {
    const { tab, visit, shelf, random, report } = options;
    this.outbox = shelf.outbox();
    let clients = 0;
    this.room = new Room({
      url: tab,
      open: () => this.dial(),
      newClientId: () => `${tab}.${visit}.${clients++}`,
      random,
      outbox: this.slowly(this.outbox),
      onNotice: (code, detail) => report({ do: "notice", tab, code, detail }),
    });
    this.room.subscribe(options.changed);
    this.room.join();
  }

  /** What only a room knows of itself. */
  get replica() {
    return this.room["replica"];
  }

  did(act: () => Promise<Result> | undefined, push: number, tags: WeakMap<readonly Op[], number>): void {
    const { tab, report } = this.options;
    const before = this.replica.pending;
    const answer = act();
    const made = this.replica.pending.at(-1);
    if (made !== undefined && !before.includes(made)) tags.set(made.ops, push);
    void answer?.then(({ outcome, error }) => {
      if (this.isAlive) report({ do: "answered", tab, push, outcome, code: error?.code ?? null });
    });
  }

  /** The tab is gone from one moment to the next: what was not on disk is lost, its locks are free. */
  crash(): void {
    this.isAlive = false;
    this.room["connection"].stop();
    this.room["presence"].stop();
    void this.outbox.release();
  }

  state(): Record<string, unknown> {
    const { replica, room } = this;
    const { connection, peers, role } = room.getState();
    const { clientId, epoch, seq, isBehind, confirmed, pending } = replica;
    const isNews = confirmed !== this.lastConfirmed;
    this.lastConfirmed = confirmed;
    const waiting = pending.map(({ clientSeq }) => clientSeq);
    const { shown } = room["presence"] as unknown as { shown: unknown };
    const session = room["sessionId"];
    return { clientId, epoch, seq, isBehind, connection, peers, role, waiting, shown, session, ...(isNews && { confirmed }) };
  }

  private dial(): SocketLike {
    const { tab, report } = this.options;
    const socket = new WireSocket(this.sockets.size, (deed) => report({ ...deed, tab, ...this.carried(deed) }));
    this.sockets.set(socket.number, socket);
    report({ do: "dial", tab, socket: socket.number });
    return socket;
  }

  /** Whose edit a push carries, under which name. */
  private carried({ text }: { text?: string }): { client?: string; ops?: readonly Op[] | undefined } {
    if (text === undefined || !text.startsWith('{"type":"push"')) return {};
    const { clientSeq } = JSON.parse(text) as Pending;
    return { client: this.replica.clientId, ops: this.replica.pending.find((each) => each.clientSeq === clientSeq)?.ops };
  }

  private slowly(outbox: Outbox): Outbox {
    const { tab, random, report } = this.options;
    const later = <T>(act: () => Promise<T>): Promise<T> =>
      new Promise((resolve) => setTimeout(() => this.isAlive && resolve(act()), random() * SLOWEST_WRITE_MS));
    return {
      claim: () => later(() => outbox.claim()),
      write: async (change) => {
        await later(() => outbox.write(change));
        for (const { ops } of change.put) report({ do: "saved", tab, ops });
      },
      release: () => later(() => outbox.release()),
    };
  }
}

export class WireSocket implements SocketLike {
  readyState = 0;
  onopen: SocketLike["onopen"] = null;
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  onerror: SocketLike["onerror"] = null;

  constructor(
    readonly number: number,
    private readonly report: (deed: { do: string; socket: number; text?: string }) => void,
  ) {}

  send(text: string): void {
    this.report({ do: "say", socket: this.number, text });
  }

  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.report({ do: "hang up", socket: this.number });
  }
}

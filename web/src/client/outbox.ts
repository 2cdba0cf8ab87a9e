/** Where pushes wait that the server has not answered, so that a reload or a crash of the tab does not lose them. */
import type { Pending } from "./replica";
import type { Op } from "./types";

export interface SavedPush {
  clientId: string;
  clientSeq: number;
  /** The server's epoch when it was numbered; null before the first welcome. */
  epoch: string | null;
  ops: Op[];
  undoOf?: number | undefined;
}

export interface OutboxChange {
  put: readonly SavedPush[];
  drop: readonly SavedPush[];
}

/** One tab's hold on the pushes of one account in one workflow. */
export interface Outbox {
  /** The pushes, in order, of one client whose tab is gone; from now on they are this tab's and nobody else gets them. */
  claim(): Promise<SavedPush[]>;
  /** All of it or nothing: a push that is numbered afresh must not be found under both numbers, it would be made twice. */
  write(change: OutboxChange): Promise<void>;
  /** This tab is done: what is left may be claimed by another. */
  release(): Promise<void>;
}

/** Keeps an outbox equal to what is pending, one write after the other. */
export class Keeper {
  /** False once a write has failed: from then on a reload would lose what is waiting. */
  isDurable = true;
  private seen: readonly Pending[] = [];
  private kept = new Map<string, SavedPush>();
  /**
   * Until it resolves, pushes stand on disk under numbers they do not have any more: sent under the new ones now, they
   * would be made a second time if the tab died.
   */
  renumbering: Promise<void> | null = null;
  private tail: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly outbox: Outbox,
    private readonly failed: () => void,
  ) {}

  async claim(): Promise<SavedPush[]> {
    let saved: SavedPush[] = [];
    await this.then(async () => (saved = await this.outbox.claim()));
    return saved;
  }

  /** These were claimed and are pending from now on. Not before: what is kept and not pending is taken for answered. */
  adopt(saved: readonly SavedPush[]): void {
    for (const push of saved) this.kept.set(keyOf(push), push);
  }

  keep(epoch: string | null, pending: readonly Pending[]): void {
    if (pending === this.seen) return;
    this.seen = pending;
    const wanted = new Map(
      pending.map(({ clientId, clientSeq, ops, undoOf }) => {
        const push = { clientId, clientSeq, epoch, ops, undoOf };
        return [keyOf(push), push];
      }),
    );
    const before = this.kept;
    this.kept = wanted;
    const put = [...wanted].flatMap(([key, push]) => (before.has(key) ? [] : push));
    const drop = [...before].flatMap(([key, push]) => (wanted.has(key) ? [] : push));
    if (put.length === 0 && drop.length === 0) return;
    const written = this.then(() => this.outbox.write({ put, drop }));
    if (put.length === 0 || drop.length === 0) return;
    const renumbering = written.then(() => {
      if (this.renumbering === renumbering) this.renumbering = null;
    });
    this.renumbering = renumbering;
  }

  /** Leaves everything that is still waiting to the next tab. */
  release(): void {
    this.seen = [];
    this.kept = new Map();
    void this.then(() => this.outbox.release());
  }

  private then(act: () => Promise<unknown>): Promise<unknown> {
    this.tail = this.tail.then(act).catch(() => {
      if (!this.isDurable) return;
      this.isDurable = false; // a full disk or a private window: `failed` tells the person, the canvas itself goes on
      this.failed();
    });
    return this.tail;
  }
}

function keyOf({ clientId, clientSeq }: SavedPush): string {
  return `${clientId} ${clientSeq}`;
}

/** What all tabs of a browser share, in memory. */
export class MemoryShelf {
  pushes: readonly SavedPush[] = [];
  private readonly owners = new Map<string, Outbox>();

  outbox(): Outbox {
    const outbox: Outbox = {
      claim: () => {
        const orphan = this.pushes.find(({ clientId }) => !this.owners.has(clientId))?.clientId;
        if (orphan !== undefined) this.owners.set(orphan, outbox);
        const theirs = this.pushes.filter(({ clientId }) => clientId === orphan);
        return Promise.resolve(theirs.toSorted((a, b) => a.clientSeq - b.clientSeq));
      },
      write: ({ put, drop }) => {
        for (const { clientId } of put) this.owners.set(clientId, outbox);
        const gone = new Set([...put, ...drop].map(keyOf));
        this.pushes = [...this.pushes.filter((push) => !gone.has(keyOf(push))), ...put];
        return Promise.resolve();
      },
      release: () => {
        for (const [clientId, owner] of this.owners) if (owner === outbox) this.owners.delete(clientId);
        return Promise.resolve();
      },
    };
    return outbox;
  }
}

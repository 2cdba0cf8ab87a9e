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

/** One tab's hold on the pushes of one account in one workflow. */
export interface Outbox {
  /** The pushes, in order, of one client whose tab is gone; from now on they are this tab's and nobody else gets them. */
  claim(): Promise<SavedPush[]>;
  put(push: SavedPush): Promise<void>;
  drop(clientId: string, clientSeq: number): Promise<void>;
  /** This tab is done: what is left may be claimed by another. */
  release(): Promise<void>;
}

/** Keeps an outbox equal to what is pending, one write after the other. */
export class Keeper {
  /** False once a write has failed: from then on a reload would lose what is waiting. */
  isDurable = true;
  private seen: readonly Pending[] = [];
  private kept = new Map<string, SavedPush>();
  private tail: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly outbox: Outbox,
    private readonly failed: () => void,
  ) {}

  async claim(): Promise<SavedPush[]> {
    let saved: SavedPush[] = [];
    await this.then(async () => (saved = await this.outbox.claim()));
    for (const push of saved) this.kept.set(keyOf(push), push);
    return saved;
  }

  keep(clientId: string, epoch: string | null, pending: readonly Pending[]): void {
    if (pending === this.seen) return;
    this.seen = pending;
    const wanted = new Map(
      pending.map(({ clientSeq, ops, undoOf }) => {
        const push = { clientId, clientSeq, epoch, ops, undoOf };
        return [keyOf(push), push];
      }),
    );
    const before = this.kept;
    this.kept = wanted;
    for (const [key, push] of wanted) if (!before.has(key)) void this.then(() => this.outbox.put(push));
    // Dropped last: a crash in between leaves a push twice, which the server sees through, and never not at all.
    for (const [key, { clientId: id, clientSeq }] of before) {
      if (!wanted.has(key)) void this.then(() => this.outbox.drop(id, clientSeq));
    }
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
  readonly pushes: SavedPush[] = [];
  private readonly owners = new Map<string, Outbox>();

  outbox(): Outbox {
    const outbox: Outbox = {
      claim: () => {
        const orphan = this.pushes.find(({ clientId }) => !this.owners.has(clientId))?.clientId;
        if (orphan !== undefined) this.owners.set(orphan, outbox);
        const theirs = this.pushes.filter(({ clientId }) => clientId === orphan);
        return Promise.resolve(theirs.toSorted((a, b) => a.clientSeq - b.clientSeq));
      },
      put: (push) => {
        this.owners.set(push.clientId, outbox);
        this.pushes.push(push);
        return Promise.resolve();
      },
      drop: (clientId, clientSeq) => {
        const at = this.pushes.findIndex((push) => push.clientId === clientId && push.clientSeq === clientSeq);
        if (at >= 0) this.pushes.splice(at, 1);
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

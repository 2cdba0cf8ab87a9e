import type { Keeper, SavedPush } from "./outbox";

/** What closed tabs left behind and this one has taken over, until it has nothing of its own on the way. */
export class Orphans {
  private found: SavedPush[] = [];
  private looking: Promise<void> | null = null;
  private visits = 0;

  constructor(private readonly keeper: Keeper) {}

  get isEmpty(): boolean {
    return this.found.length === 0;
  }

  /** One look at a time: what a second one does not find would make us forget what the first one has. */
  look(): Promise<void> {
    const looking = this.looking ?? this.find().finally(() => {
      if (this.looking === looking) this.looking = null;
    });
    this.looking = looking;
    return looking;
  }

  /** From now on they are pending here. */
  take(): SavedPush[] {
    const taken = this.found;
    this.found = [];
    if (taken.length > 0) this.keeper.adopt(taken);
    return taken;
  }

  /** The room is left: what is found from here on is for whoever comes back. */
  forget(): void {
    this.visits++;
    this.found = [];
    this.looking = null;
  }

  private async find(): Promise<void> {
    const visit = this.visits;
    const found = await this.keeper.claim();
    if (visit === this.visits) this.found = found;
  }
}

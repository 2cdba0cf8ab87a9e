/** Does what it is given, a few at a time, in the order in which it came. */
export class Queue {
  private readonly waiting: (() => Promise<void>)[] = [];
  private running = 0;

  constructor(private readonly atOnce: number) {}

  add(act: () => Promise<void>): void {
    this.waiting.push(act);
    this.next();
  }

  private next(): void {
    if (this.running >= this.atOnce) return;
    const act = this.waiting.shift();
    if (act === undefined) return;
    this.running += 1;
    void act().finally(() => {
      this.running -= 1;
      this.next();
    });
  }
}

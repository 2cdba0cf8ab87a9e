/**
 * What others are holding comes in frames, thirty a second at best: here it is carried from one to the next, so that it
 * moves on screen and does not jump.
 */
import type { XY } from "../client";

const GLIDE_MS = 50; // a server's tick and half of the next one, which may be late

interface Way {
  from: XY;
  to: XY;
  startedAt: number;
  /** Where it is on screen; the same object until it moves. */
  at: XY;
}

const nextFrame: (act: () => void) => unknown =
  "requestAnimationFrame" in globalThis ? (act) => requestAnimationFrame(act) : (act) => setTimeout(act, 16);

export class Glide {
  private readonly ways = new Map<string, Way>();
  private isWaiting = false;

  constructor(private readonly moved: () => void) {}

  /** Where to show what the others hold at `targets`; what was not held before starts from where it is on screen. */
  follow(targets: Record<string, XY>, shownAt: (id: string) => XY | undefined): Record<string, XY> {
    for (const id of this.ways.keys()) if (!(id in targets)) this.ways.delete(id);
    for (const [id, to] of Object.entries(targets)) {
      const way = this.ways.get(id);
      if (way?.to === to) continue;
      const from = way?.at ?? shownAt(id) ?? to;
      this.ways.set(id, { from, to, startedAt: Date.now(), at: from });
    }
    this.goOn();
    return Object.fromEntries([...this.ways].map(([id, { at }]) => [id, at]));
  }

  /** Nothing moves between two frames: whoever asks meanwhile draws nothing again. */
  private goOn(): void {
    if (this.isWaiting || [...this.ways.values()].every(({ at, to }) => at === to)) return;
    this.isWaiting = true;
    nextFrame(() => {
      this.isWaiting = false;
      const now = Date.now();
      for (const way of this.ways.values()) advance(way, now);
      this.moved();
    });
  }
}

function advance(way: Way, now: number): void {
  const part = Math.min(1, (now - way.startedAt) / GLIDE_MS);
  if (part === 1) way.at = way.to;
  else if (part > 0) way.at = { x: between(way.from.x, way.to.x, part), y: between(way.from.y, way.to.y, part) };
}

function between(from: number, to: number, part: number): number {
  return from + (to - from) * part;
}

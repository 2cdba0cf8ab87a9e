/**
 * A drag, a resize or a run of arrow keys: what it holds is this screen's alone, the others see it as presence, and it
 * becomes one commit when it ends.
 */
import type { NodeChange, NodeDimensionChange, NodePositionChange } from "@xyflow/react";

const NUDGE_MS = 250; // arrow keys move five pixels a press; one op when the hand rests

type Move = NodePositionChange | NodeDimensionChange;

/** Nodes whose place, and those whose size, is this screen's until the gesture ends. */
export interface Held {
  places: ReadonlySet<string>;
  sizes: ReadonlySet<string>;
}

export class Gesture {
  private readonly places = new Set<string>();
  private readonly sizes = new Set<string>();
  readonly held: Held = { places: this.places, sizes: this.sizes };
  private isActive = false;
  private rest: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly moved: () => void,
    private readonly ended: (held: Held) => void,
  ) {}

  follow(changes: readonly NodeChange[]): void {
    const moves = changes.filter(isMove);
    if (moves.length === 0) return;
    for (const { type, id } of moves) (type === "position" ? this.places : this.sizes).add(id);
    const phases = moves.map((move) => (move.type === "position" ? move.dragging : move.resizing));
    if (phases.includes(true)) {
      this.isActive = true;
      this.cancelRest();
      this.moved();
    } else if (!this.isActive) {
      this.cancelRest();
      this.rest = setTimeout(() => this.end(), NUDGE_MS);
    } else if (phases.includes(false)) this.end();
    else this.moved();
  }

  /** Lets go of everything without a commit; what it held is answered. */
  cancel(): Held {
    this.cancelRest();
    this.isActive = false;
    const held = { places: new Set(this.places), sizes: new Set(this.sizes) };
    this.places.clear();
    this.sizes.clear();
    return held;
  }

  get isHolding(): boolean {
    return this.places.size + this.sizes.size > 0;
  }

  /** Ends the rest after a nudge at once; a hand that is still holding goes on. */
  settle(): void {
    if (this.rest !== null) this.end();
  }

  private end(): void {
    this.ended(this.cancel());
  }

  private cancelRest(): void {
    if (this.rest !== null) clearTimeout(this.rest);
    this.rest = null;
  }
}

/** Sizes that React Flow only measured are nobody else's business. */
function isMove(change: NodeChange): change is Move {
  if (change.type === "position") return change.position !== undefined || change.dragging !== undefined;
  return change.type === "dimensions" && (change.resizing !== undefined || Boolean(change.setAttributes));
}

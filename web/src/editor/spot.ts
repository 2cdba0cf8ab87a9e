/** Where a new card goes: it covers none that is there, and is in view. Boxes are in the canvas's own coordinates. */
import type { XY } from "../client";
import type { Box } from "./arrange";

type Area = Omit<Box, "id">;

const GAP = 40;
const COLUMNS = [0, 1, -1, 2, -2, 3, -3];
const ROWS = [0, 1, -1, 2, -2];

/** As near to the `wanted` place as there is room for it in the `view`, beside it first; null when there is none. */
export function freeSpot(wanted: Area, taken: readonly Area[], view: Area): XY | null {
  for (const row of ROWS) {
    for (const column of COLUMNS) {
      const x = Math.round(wanted.x + column * (wanted.width + GAP));
      const y = Math.round(wanted.y + row * (wanted.height + GAP));
      const spot = { ...wanted, x, y };
      if (isInside(spot, view) && !taken.some((box) => overlaps(spot, box))) return { x, y };
    }
  }
  return null;
}

const BARS = 80; // above and below

/** What of the screen neither the bars nor an open panel hide: the panel is at the right, or on a phone at the bottom. */
export function roomBeside(screen: { width: number; height: number }, panel?: { left: number; top: number; width: number }) {
  const room = { left: 0, top: BARS, right: screen.width, bottom: screen.height - BARS };
  if (panel === undefined) return room;
  return panel.width > screen.width / 2 ? { ...room, bottom: panel.top } : { ...room, right: panel.left };
}

function isInside(box: Area, view: Area): boolean {
  const [right, bottom] = [view.x + view.width, view.y + view.height];
  return box.x >= view.x && box.y >= view.y && box.x + box.width <= right && box.y + box.height <= bottom;
}

function overlaps(a: Area, b: Area): boolean {
  const side = GAP / 4;
  const isAcross = a.x < b.x + b.width + side && b.x < a.x + a.width + side;
  return isAcross && a.y < b.y + b.height + side && b.y < a.y + a.height + side;
}

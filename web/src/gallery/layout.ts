/** Where the tiles of a grid are. Pure: pixels and counts in, places out. */

export interface Layout {
  columns: number;
  /** Side of a tile and distance from one to the next, in pixels. */
  side: number;
  step: number;
}

export const GAP = 12;
const SMALLEST = 168; // a thumbnail of 300 pixels stays sharp on a dense screen

export function layoutOf(width: number): Layout {
  const smallest = width < 480 ? (width - GAP) / 2 : SMALLEST;
  const columns = Math.max(1, Math.floor((width + GAP) / (smallest + GAP)));
  const side = Math.max(1, Math.floor((width - GAP * (columns - 1)) / columns)); // whole pixels: no seams
  return { columns, side, step: side + GAP };
}

export function heightOf({ columns, side, step }: Layout, count: number): number {
  const rows = Math.ceil(count / columns);
  return rows === 0 ? 0 : (rows - 1) * step + side;
}

/** First and last (exclusive) of the tiles in view, with `spare` rows on either side. */
export function rangeOf({ columns, step }: Layout, count: number, top: number, height: number, spare = 3): [number, number] {
  const first = Math.max(0, Math.floor(top / step) - spare);
  const last = Math.ceil((top + height) / step) + spare;
  return [Math.min(first * columns, count), Math.min(last * columns, count)];
}

export function placeOf({ columns, step }: Layout, index: number): { x: number; y: number } {
  return { x: (index % columns) * step, y: Math.floor(index / columns) * step };
}

/** Where an arrow leads from a tile; it stays where it is at an edge. */
export function moved(key: string, from: number, { columns }: Layout, count: number, page: number): number {
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -columns * page,
    PageDown: columns * page,
    Home: -count,
    End: count,
  };
  const to = from + (steps[key] ?? 0);
  const mayClamp = key !== "ArrowUp" && key !== "ArrowDown";
  if (to < 0) return mayClamp ? 0 : from;
  if (to >= count) return mayClamp ? count - 1 : from;
  return to;
}

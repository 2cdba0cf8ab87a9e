/** Where nodes go when they are lined up, put at the same distance, or put into a frame. Boxes are in the canvas's own coordinates. */
import type { XY } from "../client";

export interface Box extends XY {
  id: string;
  width: number;
  height: number;
}

export type Alignment = "left" | "center" | "right" | "top" | "middle" | "bottom" | "across" | "down";

/** The new place of each that has to move. */
export function arranged(boxes: readonly Box[], alignment: Alignment): Map<string, XY> {
  const around = boundsOf(boxes);
  const places = new Map<string, XY>();
  const put = (box: Box, at: Partial<XY>): void => {
    const next = { x: Math.round(at.x ?? box.x), y: Math.round(at.y ?? box.y) };
    if (next.x !== box.x || next.y !== box.y) places.set(box.id, next);
  };
  const each = (at: (box: Box) => Partial<XY>): void => boxes.forEach((box) => put(box, at(box)));
  switch (alignment) {
    case "left":
      each(() => ({ x: around.x }));
      break;
    case "center":
      each(({ width }) => ({ x: around.x + (around.width - width) / 2 }));
      break;
    case "right":
      each(({ width }) => ({ x: around.x + around.width - width }));
      break;
    case "top":
      each(() => ({ y: around.y }));
      break;
    case "middle":
      each(({ height }) => ({ y: around.y + (around.height - height) / 2 }));
      break;
    case "bottom":
      each(({ height }) => ({ y: around.y + around.height - height }));
      break;
    case "across":
      spread(boxes, "x", "width").forEach((x, box) => put(box, { x }));
      break;
    case "down":
      spread(boxes, "y", "height").forEach((y, box) => put(box, { y }));
      break;
  }
  return places;
}

const LEAST_GAP = 24; // between those that overlap, the outermost move apart

/** The first stays where it is, the last too unless there is no room between them. */
function spread(boxes: readonly Box[], axis: "x" | "y", side: "width" | "height"): Map<Box, number> {
  const inOrder = [...boxes].sort((a, b) => a[axis] + a[side] / 2 - (b[axis] + b[side] / 2));
  const [first, last] = [inOrder[0], inOrder.at(-1)];
  if (first === undefined || last === undefined || first === last) return new Map();
  const taken = inOrder.reduce((sum, box) => sum + box[side], 0);
  const room = last[axis] + last[side] - first[axis] - taken;
  const gap = Math.max(LEAST_GAP, room / (inOrder.length - 1));
  let at = first[axis];
  return new Map(
    inOrder.map((box) => {
      const place = at;
      at += box[side] + gap;
      return [box, place];
    }),
  );
}

export function boundsOf(boxes: readonly Omit<Box, "id">[]): Omit<Box, "id"> {
  const [x, y] = [Math.min(...boxes.map((box) => box.x)), Math.min(...boxes.map((box) => box.y))];
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}

import { expect, it } from "vitest";
import { arranged, boundsOf, type Box } from "./arrange";

const BOXES: Box[] = [
  { id: "a", x: 0, y: 0, width: 100, height: 50 },
  { id: "b", x: 300, y: 40, width: 50, height: 100 },
  { id: "c", x: 120, y: 10, width: 60, height: 60 },
];
const moved = (alignment: Parameters<typeof arranged>[1]) => Object.fromEntries(arranged(BOXES, alignment));

it("lines edges and middles up, and leaves alone what stands there", () => {
  expect(moved("left")).toEqual({ b: { x: 0, y: 40 }, c: { x: 0, y: 10 } });
  expect(moved("right")).toEqual({ a: { x: 250, y: 0 }, c: { x: 290, y: 10 } });
  expect(moved("center")).toEqual({ a: { x: 125, y: 0 }, b: { x: 150, y: 40 }, c: { x: 145, y: 10 } });
  expect(moved("top")).toEqual({ b: { x: 300, y: 0 }, c: { x: 120, y: 0 } });
  expect(moved("middle")).toEqual({ a: { x: 0, y: 45 }, b: { x: 300, y: 20 }, c: { x: 120, y: 40 } });
  expect(moved("bottom")).toEqual({ a: { x: 0, y: 90 }, c: { x: 120, y: 80 } });
});

it("makes gaps equal between the outermost, which stay", () => {
  expect(moved("across")).toEqual({ c: { x: 170, y: 10 } });
});

it("makes room when there is none", () => {
  expect(moved("down")).toEqual({ c: { x: 120, y: 74 }, b: { x: 300, y: 158 } });
});

it("knows the box around boxes", () => {
  expect(boundsOf(BOXES)).toEqual({ x: 0, y: 0, width: 350, height: 140 });
});

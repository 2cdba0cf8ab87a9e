import type { Node } from "@xyflow/react";
import { expect, it } from "vitest";
import type { NodeRecord } from "../client";
import { homesOf, housing } from "./frames";

const node = (id: string, x: number, y: number, [width, height]: [number, number], more: Partial<Node> = {}): Node => ({
  id,
  position: { x, y },
  data: {},
  measured: { width, height },
  ...more,
});
const frame = (id: string, x: number, y: number, size: [number, number], more: Partial<Node> = {}): Node => node(id, x, y, size, { type: "group", ...more });
const homes = (held: string[], ...nodes: Node[]) => Object.fromEntries(homesOf(new Set(held), nodes));

const BOARD = frame("board", 100, 100, [400, 400]);
const INNER = frame("inner", 200, 200, [150, 150], { parentId: "board" }); // on the canvas it begins at 300, 300
const CARD: [number, number] = [100, 60];

it("PG21: takes what lies in it for the most part, and frees what does not", () => {
  expect(homes(["a"], BOARD, node("a", 60, 120, CARD))).toEqual({ a: "board" });
  expect(homes(["a"], BOARD, node("a", 40, 120, CARD))).toEqual({});
  expect(homes(["a"], BOARD, node("a", 340, 0, CARD, { parentId: "board" }))).toEqual({});
  expect(homes(["a"], BOARD, node("a", 360, 0, CARD, { parentId: "board" }))).toEqual({ a: null });
});

it("PG21: leaves what is not held where it is", () => {
  expect(homes(["a"], BOARD, node("a", 120, 120, CARD), node("b", 120, 120, CARD))).toEqual({ a: "board" });
});

it("PG21: takes several, each where it lies", () => {
  const nodes = [BOARD, INNER, node("a", 120, 120, CARD), node("b", 320, 320, CARD), node("c", 900, 0, CARD)];
  expect(homes(["a", "b", "c"], ...nodes)).toEqual({ a: "board", b: "inner" });
});

it("PG21: takes only what fits, but keeps what has grown in it", () => {
  expect(homes(["a"], BOARD, node("a", 50, 120, [420, 60]))).toEqual({});
  expect(homes(["a"], BOARD, node("a", -50, 20, [420, 60], { parentId: "board" }))).toEqual({});
});

it("PG21: puts frames into frames, and none into itself or what is in it", () => {
  expect(homes(["other"], BOARD, frame("other", 120, 120, [200, 200]))).toEqual({ other: "board" });
  expect(homes(["board"], BOARD, INNER)).toEqual({});
  expect(homes(["board", "inner"], BOARD, INNER)).toEqual({});
  expect(homes(["a", "board"], BOARD, node("a", 20, 20, CARD, { parentId: "board" }))).toEqual({});
});

it("PG21: of frames that overlap the upper one takes, and the innermost first", () => {
  const above = frame("above", 100, 100, [300, 300]);
  expect(homes(["a"], BOARD, above, node("a", 120, 120, CARD))).toEqual({ a: "above" });
  expect(homes(["a"], BOARD, INNER, above, node("a", 310, 310, CARD))).toEqual({ a: "inner" });
  expect(homes(["a"], BOARD, { ...above, hidden: true }, node("a", 120, 120, CARD))).toEqual({ a: "board" });
});

it("PG21: leaves alone what another product holds together", () => {
  expect(homes(["a"], { ...BOARD, type: "container" }, node("a", 120, 120, CARD))).toEqual({});
  expect(homes(["a"], { ...BOARD, type: "container" }, node("a", 900, 0, CARD, { parentId: "board" }))).toEqual({});
  expect(homes(["a"], BOARD, INNER, node("a", 220, 220, CARD, { parentId: "board", extent: "parent" }))).toEqual({});
});

const put = (x: number, y: number, more: Partial<NodeRecord>, ...nodes: Node[]) => {
  const { parentId = null, position } = housing(nodes)({ position: { x, y }, ...more });
  return [parentId, position.x, position.y];
};

it("PG42: what is put onto the canvas goes where what is let go there would", () => {
  const card = { width: CARD[0], height: CARD[1] };
  expect(put(60, 120, card, BOARD)).toEqual(["board", -40, 20]);
  expect(put(40, 120, card, BOARD)).toEqual([null, 40, 120]);
  expect(put(310, 320, card, BOARD, INNER, frame("above", 100, 100, [300, 300]))).toEqual(["inner", 10, 20]);
  expect(put(120, 120, { ...card, width: 420 }, BOARD)).toEqual([null, 120, 120]);
  expect(put(120, 120, card, { ...BOARD, hidden: true })).toEqual([null, 120, 120]);
  expect(put(120, 120, card, { ...BOARD, type: "container" })).toEqual([null, 120, 120]);
});

it("PG42: leaves what has its place already", () => {
  expect(put(120, 120, { parentId: "other" }, BOARD)).toEqual(["other", 120, 120]);
  expect(put(120, 120, { extent: "parent" }, BOARD)).toEqual([null, 120, 120]);
});

it("PG42: takes a card that says no size for one without a picture, and a note for what it is", () => {
  expect(put(-35, 10, {}, BOARD)).toEqual(["board", -135, -90]); // 280 by 190
  expect(put(-35, 10, { type: "note" }, BOARD)).toEqual([null, -35, 10]); // 280 by 130
  expect(put(120, 120, { style: { width: 500, height: 60 } }, BOARD)).toEqual([null, 120, 120]);
});

import { expect, it } from "vitest";
import { behind } from "./behind";

const card = { id: "a", position: { x: 0, y: 0 }, data: {} };
const frame = { ...card, id: "b", type: "group" };

it("PG21: puts frames behind the cards, and is the same each time", () => {
  const [first, second] = behind([card, frame]);
  expect(first).toBe(card);
  expect(second?.zIndex).toBeLessThan(0);
  expect(behind([card, frame])[1]).toBe(second);
});

it("leaves alone a list without frames, and a frame that has its place", () => {
  const nodes = [card, { ...frame, zIndex: 3 }];
  expect(behind(nodes)).toBe(nodes);
});

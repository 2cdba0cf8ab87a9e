import { expect, it } from "vitest";
import { grabbable } from "./grabbable";

const plain = { id: "a", position: { x: 0, y: 0 }, data: {} };
const held = { ...plain, id: "b", dragHandle: ".their-handle" };

it("lets go of the handle that only another product's card has", () => {
  const [first, second] = grabbable([plain, held]);
  expect(first).toBe(plain);
  expect(second).toEqual({ ...held, dragHandle: undefined });
  expect(grabbable([plain, held])[1]).toBe(second);
});

it("leaves alone a list that has none", () => {
  const nodes = [plain];
  expect(grabbable(nodes)).toBe(nodes);
});

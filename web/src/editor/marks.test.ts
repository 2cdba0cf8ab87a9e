import type { Node } from "@xyflow/react";
import { expect, it } from "vitest";
import { marked, marksOf } from "./marks";

const mara = { id: "u2", name: "Mara", color: "#f00" };
const node = (id: string): Node => ({ id, position: { x: 0, y: 0 }, data: {}, className: "own", style: { width: 9 } });

it("marks what somebody has selected or holds, and nothing else", () => {
  const nodes = ["a", "b", "c"].map(node);
  const marks = marksOf({ s2: { user: mara, selection: ["a"], drag: { b: { x: 1, y: 1 } } }, s3: { selection: ["c"] } });
  const [a, b, c] = marked(nodes, marks);
  for (const each of [a, b]) {
    expect(each).toMatchObject({ className: "own peers", style: { width: 9, "--peer": "#f00" }, domAttributes: { "data-peer": "Mara" } });
  }
  expect(c).toBe(nodes[2]);
});

it("makes a mark once for as long as the node and the person are the same", () => {
  const nodes = [node("a")];
  const [first] = marked(nodes, new Map([["a", mara]]));
  expect(marked(nodes, new Map([["a", mara]]))[0]).toBe(first);
  expect(marked(nodes, new Map([["a", { ...mara, name: "M." }]]))[0]).toMatchObject({ domAttributes: { "data-peer": "M." } });
  expect(marked(nodes, new Map())).toBe(nodes);
});

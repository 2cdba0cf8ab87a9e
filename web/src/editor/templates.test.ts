import { describe, expect, it } from "vitest";
import { refusal } from "../nodes/ports";
import { planted } from "./fragment";
import { templatesFor } from "./templates";

const TWO = [
  { provider: "local", model: "studio-1" },
  { provider: "openai", model: "gpt-image-1" },
];

describe.each(templatesFor(TWO))("the template $title", ({ fragment }) => {
  it("has wires that may be drawn by hand as well", () => {
    const byId = new Map(fragment.nodes.map((node) => [node.id, node]));
    for (const { source, target } of fragment.edges) {
      const [from, to] = [byId.get(source), byId.get(target)];
      expect(from && to && refusal(from, to)).toBeNull();
    }
  });

  it("can be put down twice", () => {
    const [one, other] = [planted(fragment, { x: 0, y: 0 }), planted(fragment, { x: 0, y: 0 })];
    expect(one.ids.length).toBeGreaterThan(0);
    expect(one.ids.filter((id) => other.ids.includes(id))).toEqual([]);
  });
});

it("compares the first two models, or the only one with itself", () => {
  const models = (drawings: typeof TWO): unknown[] =>
    templatesFor(drawings).find(({ id }) => id === "two-models")?.fragment.nodes.flatMap(({ data }) => data.model ?? []) ?? [];
  expect(models(TWO)).toEqual(["studio-1", "gpt-image-1"]);
  expect(models(TWO.slice(0, 1))).toEqual(["studio-1", "studio-1"]);
});

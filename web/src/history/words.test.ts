import { describe, expect, it } from "vitest";
import type { Comparison } from "../client";
import { effectOf, isKeptForEver, marksOf, titleOf } from "./words";

const SAME: Comparison = {
  nodes: { added: [], removed: [], changed: [] },
  edges: { added: [], removed: [], changed: [] },
  viewport: false,
};

describe("what a restore would do", () => {
  it("is said in nodes and wires, one and many", () => {
    const comparison: Comparison = {
      nodes: { added: ["a"], removed: ["b", "c"], changed: [{ id: "d", keys: ["data"] }] },
      edges: { added: [], removed: ["w"], changed: [] },
      viewport: true,
    };
    expect(effectOf(comparison)).toBe("If it is restored, 2 nodes and 1 wire come back, 1 node goes away and 1 node changes.");
    expect(Object.fromEntries(marksOf(comparison))).toEqual({ b: "back", c: "back", d: "changed" });
  });

  it("is nothing when the canvas is like that now", () => {
    expect(effectOf(SAME)).toBe("The canvas is like this now.");
    expect(effectOf({ ...SAME, viewport: true })).toBe("Only the saved view is another one.");
  });
});

describe("a version", () => {
  it("is called by its name, else by what made it", () => {
    expect(titleOf({ name: "First draft", kind: "auto" })).toBe("First draft");
    expect(["auto", "named", "restore"].map((kind) => titleOf({ name: null, kind: kind as "auto" }))).toEqual([
      "Kept by itself",
      "Kept by hand",
      "Before a restore",
    ]);
  });

  it("stays until somebody deletes it when somebody wanted it", () => {
    expect(isKeptForEver({ name: null, kind: "named" })).toBe(true);
    expect(isKeptForEver({ name: "Kept", kind: "auto" })).toBe(true);
    expect(isKeptForEver({ name: null, kind: "restore" })).toBe(false);
  });
});

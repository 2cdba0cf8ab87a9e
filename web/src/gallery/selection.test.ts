import { expect, it } from "vitest";
import { extended, NOTHING, toggled, without } from "./selection";

const ORDER = ["a", "b", "c", "d", "e"];
const ids = (selection: { ids: ReadonlySet<string> }): string => [...selection.ids].sort().join("");

it("takes one in and out again", () => {
  const one = toggled(NOTHING, "b");
  expect([ids(one), ids(toggled(one, "b"))]).toEqual(["b", ""]);
});

it("reaches from where it began, in both directions, and keeps what there was", () => {
  const begun = toggled(toggled(NOTHING, "a"), "d");
  expect(ids(extended(begun, "b", ORDER))).toBe("abcd");
  expect(ids(extended(begun, "e", ORDER))).toBe("ade");
  expect(ids(extended(NOTHING, "c", ORDER))).toBe("c");
  expect(ids(extended(begun, "gone", ORDER))).toBe("ad");
});

it("forgets what is gone, and does not begin there", () => {
  const left = without(toggled(toggled(NOTHING, "a"), "d"), new Set(["d"]));
  expect([ids(left), left.anchor]).toEqual(["a", null]);
  expect(ids(extended(left, "c", ORDER))).toBe("ac");
});

import { expect, it } from "vitest";
import { pressOf, SHORTCUTS } from "./shortcuts";

const press = (key: string, more = {}) => pressOf({ key, code: `Key${key.toUpperCase()}`, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

it("names a press as the list does", () => {
  expect(press("i")).toBe("I");
  expect(press("?", { shiftKey: true })).toBe("?");
  expect(press(" ")).toBe("Space");
  expect(press("z", { metaKey: true, shiftKey: true })).toBe("Ctrl Shift Z");
  expect(press("å", { altKey: true, code: "KeyA" })).toBe("Alt A");
  expect(press("Ó", { altKey: true, shiftKey: true, code: "KeyH" })).toBe("Alt Shift H");
});

it("gives no keys two meanings", () => {
  const keys = SHORTCUTS.map((shortcut) => shortcut.keys);
  expect(new Set(keys).size).toBe(keys.length);
});

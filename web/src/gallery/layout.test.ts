import { describe, expect, it } from "vitest";
import { GAP, heightOf, layoutOf, moved, placeOf, rangeOf } from "./layout";

describe("the grid", () => {
  it.each([320, 479, 480, 900, 1280, 2560])("fills a width of %i", (width) => {
    const { columns, side } = layoutOf(width);
    const left = width - columns * side - (columns - 1) * GAP;
    expect(left).toBeGreaterThanOrEqual(0);
    expect(left).toBeLessThan(columns);
    expect(columns).toBeGreaterThan(1);
  });

  it("draws what is in view and a little more, however many there are", () => {
    const layout = layoutOf(1000);
    const [first, last] = rangeOf(layout, 5000, 40_000, 800);
    expect(last - first).toBeLessThanOrEqual(layout.columns * (Math.ceil(800 / layout.step) + 7));
    expect(placeOf(layout, first).y).toBeLessThan(40_000);
    expect(placeOf(layout, last).y).toBeGreaterThan(40_800);
    expect(rangeOf(layout, 0, 0, 800)).toEqual([0, 0]);
    expect(rangeOf(layout, 3, 0, 800)).toEqual([0, 3]);
    expect(rangeOf(layout, 3, 90_000, 800)).toEqual([3, 3]); // the list has become shorter under the reader
  });

  it("is as high as its rows", () => {
    const layout = { columns: 4, side: 100, step: 112 };
    expect([0, 1, 4, 5].map((count) => heightOf(layout, count))).toEqual([0, 100, 100, 212]);
  });

  it("leads from tile to tile and ends at its edges", () => {
    const layout = { columns: 4, side: 100, step: 112 };
    const go = (key: string, from: number): number => moved(key, from, layout, 10, 2);
    expect([go("ArrowRight", 3), go("ArrowLeft", 0), go("ArrowRight", 9)]).toEqual([4, 0, 9]);
    expect([go("ArrowDown", 1), go("ArrowDown", 7), go("ArrowUp", 2), go("ArrowUp", 6)]).toEqual([5, 7, 2, 2]);
    expect([go("PageDown", 1), go("PageUp", 9), go("Home", 7), go("End", 2)]).toEqual([9, 1, 0, 9]);
  });
});

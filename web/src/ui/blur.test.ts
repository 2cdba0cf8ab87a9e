import { describe, expect, it } from "vitest";
import { pixelsOf } from "./blur";

type Color = [number, number, number, number];

function colorAt(hash: string, x: number, y: number): Color {
  const found = pixelsOf(hash);
  if (found === undefined) throw new Error("no picture");
  const at = (Math.floor(y * found.height) * found.width + Math.floor(x * found.width)) * 4;
  return [...found.data.slice(at, at + 4)] as Color;
}

function expectNear(color: Color, wanted: Color, within = 40): void {
  color.forEach((part, index) => expect(Math.abs(part - (wanted[index] ?? 0)), color.join(", ")).toBeLessThan(within));
}

describe("a ThumbHash", () => {
  it("of one colour is that colour", () => {
    for (const place of [0.1, 0.5, 0.9]) expectNear(colorAt("GIsDBYBKSW+IiIiGiKiIhw+KxKBI", place, place), [230, 30, 30, 255], 8);
  });

  it("has its colours where they are, and the picture's shape", () => {
    const blueAndYellow = "HwgOBYVwenZ4iIiHiIiHh3CICIeI";

    expectNear(colorAt(blueAndYellow, 0.15, 0.5), [20, 30, 220, 255], 60);
    expectNear(colorAt(blueAndYellow, 0.85, 0.5), [240, 220, 20, 255], 60);
    const { width, height } = pixelsOf(blueAndYellow) ?? { width: 0, height: 0 };
    expect(width / height).toBeCloseTo(1.5, 0);
  });

  it("is clear where the picture is", () => {
    const greenBelow = "FZqAAwBYeowY2AhbjmAK2HiIgHiHqHg=";

    expect(colorAt(greenBelow, 0.5, 0.1)[3]).toBeLessThan(60);
    expectNear(colorAt(greenBelow, 0.5, 0.9), [20, 200, 40, 255], 60);
  });

  it("that is none is no picture", () => {
    for (const none of ["", "x", "AAAA", "???"]) expect(pixelsOf(none)).toBeUndefined();
  });
});

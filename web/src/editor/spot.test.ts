import { expect, it } from "vitest";
import { freeSpot, roomBeside } from "./spot";

const VIEW = { x: 0, y: 0, width: 1000, height: 500 };
const WANTED = { x: 360, y: 100, width: 280, height: 190 };

it("PG12: is the wanted place as long as nothing is there, then beside it, then below", () => {
  const taken = [{ x: 680, y: 100, width: 280, height: 190 }];
  expect(freeSpot(WANTED, taken, VIEW)).toEqual({ x: 360, y: 100 });
  expect(freeSpot(WANTED, [{ ...WANTED, x: 500 }], VIEW)).toEqual({ x: 40, y: 100 });
  expect(freeSpot(WANTED, [WANTED], VIEW)).toEqual({ x: 680, y: 100 });
  expect(freeSpot(WANTED, [WANTED, ...taken], VIEW)).toEqual({ x: 40, y: 100 });
  expect(freeSpot(WANTED, [{ x: 0, y: 100, width: 1000, height: 20 }], { ...VIEW, height: 600 })).toEqual({ x: 360, y: 330 });
});

it("PG12: is nowhere when the view is full", () => {
  expect(freeSpot(WANTED, [VIEW], VIEW)).toBeNull();
});

it("PG44: leaves out what a panel hides, at the right or at the bottom", () => {
  const desk = { width: 1280, height: 800 };
  expect(roomBeside(desk)).toEqual({ left: 0, top: 80, right: 1280, bottom: 720 });
  expect(roomBeside(desk, { left: 944, top: 76, width: 320 })).toEqual({ left: 0, top: 80, right: 944, bottom: 720 });
  expect(roomBeside({ width: 390, height: 844 }, { left: 8, top: 410, width: 374 })).toEqual({ left: 0, top: 80, right: 390, bottom: 410 });
});

import { beforeEach, expect, it } from "vitest";
import type { Presence } from "../client";
import { follow, leaderOf, stopFollowing, useFollowing } from "./following";

const MARA = { id: "acc_mara", name: "Mara", color: "#123456" };
const view = { x: 10, y: 20, zoom: 2 };

beforeEach(() => void stopFollowing());

it("takes the tab that somebody works in", () => {
  const peers: Record<string, Presence> = {
    s0: { user: { ...MARA, id: "acc_other" }, viewport: { x: 0, y: 0, zoom: 1 }, cursor: { x: 1, y: 1 } },
    s1: { user: MARA },
    s2: { user: MARA, viewport: { x: 5, y: 5, zoom: 1 } },
    s3: { user: MARA, viewport: view, cursor: { x: 1, y: 1 } },
  };
  expect(leaderOf(peers, MARA.id)).toEqual({ user: MARA, viewport: view });
});

it("has nobody to follow when they are gone, and no view before they have shown one", () => {
  expect(leaderOf({}, MARA.id)).toBeNull();
  expect(leaderOf({ s1: { user: MARA } }, MARA.id)).toEqual({ user: MARA, viewport: undefined });
});

it("says whether there was anything to stop", () => {
  expect(stopFollowing()).toBe(false);
  follow(MARA.id);
  expect(useFollowing.getState().userId).toBe(MARA.id);
  expect(stopFollowing()).toBe(true);
  expect(stopFollowing()).toBe(false);
});

import { expect, it } from "vitest";
import { expiryOf, LIFETIMES } from "./expiry";
import { grantOf, GRANTS, roleLabel } from "./roles";

it("ends a link after whole days, or never", () => {
  const now = Date.parse("2030-02-27T12:00:00Z");
  expect(LIFETIMES.map(({ days }) => expiryOf(days, now))).toEqual([
    "2030-02-28T12:00:00.000Z",
    "2030-03-06T12:00:00.000Z",
    "2030-03-29T12:00:00.000Z",
    null,
  ]);
});

it("has one name for each thing that can be given", () => {
  for (const [name, { role, mayRun }] of Object.entries(GRANTS)) expect(grantOf({ role, mayRun })).toBe(name);
  expect(grantOf({ role: "viewer", mayRun: true })).toBe("viewer"); // a viewer never generates
  expect(roleLabel({ role: "owner", mayRun: true })).toBe("Owner");
  expect(roleLabel({ role: "editor", mayRun: false })).toBe("Can edit");
});

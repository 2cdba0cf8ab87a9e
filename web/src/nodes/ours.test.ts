import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isBag } from "../client";
import { KINDS } from "./kinds";
import { isOurs, ourType } from "./ours";

describe("a node of ours", () => {
  it("is what is made here, whatever runs have written on it", () => {
    for (const { type, record } of KINDS) expect(isOurs({ type, data: record.data as Record<string, unknown> }), type).toBe(true);
    const made = { status: "completed", imageUrl: "/a", results: [{ imageUrl: "/a" }], madeWith: { prompt: "a fox" }, seed: 7, n: 2, error: null };
    expect(isOurs({ type: "image_generation", data: { prompt: "a fox", ...made } })).toBe(true);
    expect(isOurs({ type: "prompt", data: { prompt: "a fox", ...made } })).toBe(true);
  });

  it("may hold what somebody else keeps there, too", () => {
    expect(isOurs({ type: "image_generation", data: { prompt: "a fox", tags: ["red"], meta: { by: "me" } } })).toBe(true);
    expect(isOurs({ type: "prompt", data: { prompt: "a fox", draft: true, weight: 0.5 } })).toBe(true);
  });

  it("is not one that says something else under the same name", () => {
    expect(isOurs({ type: "prompt", data: { prompt: "{prompt}", n: 3, llms: [{ name: "GPT3.5" }] } })).toBe(false);
    expect(isOurs({ type: "note", data: { text: "", style: { color: "red" } } })).toBe(false);
    expect(isOurs({ type: "prompt", data: { prompt: 5 } })).toBe(false);
    expect(isOurs({ type: "image_generation", data: { prompt: { text: "a fox" } } })).toBe(false);
    expect(isOurs({ type: "image_generation", data: { model: { id: "x" } } })).toBe(false);
  });

  it("has a type here, and no other has", () => {
    expect(ourType({ type: "prompt", data: { prompt: "" } })).toBe("prompt");
    expect(ourType({ type: "prompt", data: { fields: [] } })).toBeUndefined();
    expect(ourType(undefined)).toBeUndefined();
  });
});

const FLOWS = `${import.meta.dirname}/../../../../shared/data/flows`;

it.runIf(existsSync(FLOWS))("is in none of the documents of other products", () => {
  const names = new Set(KINDS.map(({ type }) => type));
  const found = readdirSync(FLOWS).flatMap((name) => (name.endsWith(".json") ? nodesIn(JSON.parse(readFileSync(`${FLOWS}/${name}`, "utf8"))) : []));
  const clashing = found.filter(({ type }) => names.has(type));
  expect(clashing.length).toBeGreaterThan(3);
  expect(clashing.filter(isOurs)).toEqual([]);
});

function nodesIn(value: unknown): { type: string; data: Record<string, unknown> }[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn);
  if (!isBag(value)) return [];
  const own = typeof value.type === "string" && isBag(value.data) && isBag(value.position) ? [{ type: value.type, data: value.data }] : [];
  return [...own, ...Object.values(value).flatMap(nodesIn)];
}

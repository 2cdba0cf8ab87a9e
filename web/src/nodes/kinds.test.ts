import { describe, expect, it } from "vitest";
import { kindsFor, KINDS } from "./kinds";

const labels = (search: string): string[] => kindsFor(search).map((kind) => kind.label);

describe("looking for a kind of node", () => {
  it("lists all of them when nothing is looked for", () => {
    expect(kindsFor(" ")).toEqual(KINDS);
  });
  it("finds by name, hint and other words, names first", () => {
    expect(labels("note")[0]).toBe("Note");
    expect(labels("PHOTO")).toEqual(["Upload"]);
    expect(labels("text sticky")).toEqual(["Note"]);
    expect(labels("up")[0]).toBe("Upload");
  });
  it("finds nothing for nonsense", () => {
    expect(labels("qqq")).toEqual([]);
  });
});

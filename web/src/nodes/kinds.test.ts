import { describe, expect, it } from "vitest";
import { kindsAtEnd, kindsFor, KINDS } from "./kinds";

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

describe("what can be at the end of a wire", () => {
  const types = (wire: "into" | "out of", type?: string): string[] => kindsAtEnd(wire, type).map((kind) => kind.type);
  it("takes what comes out, or gives what is taken", () => {
    expect(types("into", "prompt")).toEqual(["image_generation"]);
    expect(types("into", "image_upload")).toEqual(["image_generation", "image_output"]);
    expect(types("out of", "image_output")).toEqual(["image_generation", "image_upload"]);
  });
  it("is anything that takes or gives, where nobody knows", () => {
    expect(types("into", "customNode")).toEqual(["image_generation", "image_output"]);
    expect(types("out of")).toEqual(["image_generation", "prompt", "image_upload"]);
  });
});

import { describe, expect, it } from "vitest";
import { KINDS } from "./kinds";
import { portsOf, PORTS, refusal } from "./ports";

const between = (source: string, target: string): string | null => refusal({ id: "a", type: source }, { id: "b", type: target });

describe("a wire", () => {
  it("goes where what comes out is taken in", () => {
    expect(between("prompt", "image_generation")).toBeNull();
    expect(between("image_upload", "image_generation")).toBeNull();
    expect(between("image_generation", "image_generation")).toBeNull();
    expect(between("image_generation", "image_output")).toBeNull();
  });

  it("is refused with a reason where it would mean nothing", () => {
    expect(between("prompt", "image_output")).toBe("This takes pictures, and words come out of the other. Wire an image node between them.");
    expect(between("image_generation", "prompt")).toBe("A prompt takes nothing in: write its words into it.");
    expect(between("note", "image_generation")).toBe("A note is for people: no picture is made of it. Use a prompt.");
    expect(between("image_output", "image_generation")).toBe("Nothing comes out of an output: it is where pictures end up.");
    expect(refusal({ id: "a", type: "customNode" }, { id: "a", type: "customNode" })).toBe("A node cannot be wired to itself.");
  });

  it("is never refused between nodes that other products know", () => {
    expect(between("customNode", "invocation")).toBeNull();
    expect(between("customNode", "image_generation")).toBeNull();
    expect(between("prompt", "toString")).toBeNull();
    expect(refusal({ id: "a" }, { id: "b" })).toBeNull();
  });

  it("has a reason wherever nothing goes in or out", () => {
    for (const { type, ports } of KINDS) {
      expect(portsOf(type)).toBe(ports);
      expect(ports.takes.length > 0 || ports.closedIn !== undefined, type).toBe(true);
      expect(ports.gives !== null || ports.closedOut !== undefined, type).toBe(true);
    }
    expect(Object.keys(PORTS).sort()).toEqual(KINDS.map(({ type }) => type).sort());
  });
});

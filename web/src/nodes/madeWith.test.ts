import { describe, expect, it } from "vitest";
import { askingAgain, askingOtherwise, dataAsking, ownPart, readMadeWith, wordsInto } from "./madeWith";

const made = { prompt: "in oil, a fox", provider: "local", model: "studio-1", size: "512x512", n: 2 };
const results = [{ imageUrl: "/a", thumbnailUrl: "/b", seed: 7 }];

describe("what a picture was made with", () => {
  it("is known as long as the node's picture is one of that run", () => {
    expect(readMadeWith({ imageUrl: "/a", results, madeWith: made })).toEqual(made);
    expect(readMadeWith({ imageUrl: "/uploaded", results, madeWith: made })).toBeNull();
    expect(readMadeWith({ imageUrl: "/a", results, madeWith: ["a fox"] })).toBeNull();
    expect(readMadeWith({ imageUrl: "/a", results })).toBeNull();
  });
});

describe("the part that the node itself says", () => {
  it("is what comes behind the words of its wires", () => {
    expect(ownPart("a fox", [])).toBe("a fox");
    expect(ownPart("in oil, at night, a fox, red", ["in oil", "at night"])).toBe("a fox, red");
    expect(ownPart("in oil", ["in oil"])).toBe("");
  });

  it("is not known when they say something else by now", () => {
    expect(ownPart("in oil, a fox", ["in chalk"])).toBeNull();
    expect(ownPart("in oily water", ["in oil"])).toBeNull();
  });

  it("goes by the prompt nodes that are wired in", () => {
    const node = (id: string, type: string, prompt: string) => ({ id, type, position: { x: 0, y: 0 }, data: { prompt } });
    const nodes = [node("p", "prompt", " in oil "), node("q", "prompt", " "), node("i", "image_generation", "an owl"), node("n", "image_generation", "")];
    const edges = ["q", "i", "p"].map((source) => ({ id: source, source, target: "n" }));
    expect(wordsInto("n", nodes, [...edges, { id: "x", source: "p", target: "i" }])).toEqual(["in oil"]);
  });
});

describe("asking again", () => {
  it("writes what differs, takes away what was not asked for, and brings the seed along", () => {
    const data = { prompt: "an owl", size: "1024x1024", quality: "high", negativePrompt: "text", n: 2, seed: 1 };
    expect(askingAgain(data, made, "a fox", 7)).toEqual({
      set: { "/data/prompt": "a fox", "/data/size": "512x512", "/data/seed": 7 },
      unset: ["/data/quality", "/data/negativePrompt"],
    });
    expect(askingAgain({ ...data, seed: 7 }, made, "a fox", null)?.unset).toContain("/data/seed");
  });

  it("has nothing to do where the node asks for the same already, whatever its seed", () => {
    expect(askingAgain({ prompt: "a fox", size: "512x512", n: 2, seed: 1 }, made, "a fox", 7)).toBeNull();
  });

  it("leaves a shape alone that the model does not go by", () => {
    const byRatio = { prompt: "a fox", provider: "local", model: "studio-1", aspectRatio: "16:9" };
    expect(askingAgain({ prompt: "a fox", size: "512x512", aspectRatio: "16:9" }, byRatio, "a fox", null)).toBeNull();
  });

  it("makes a node that says everything by itself", () => {
    expect(dataAsking({ ...made, stray: 1 }, 7)).toEqual({ ...made, seed: 7 });
    expect(dataAsking(made, null)).toEqual(made);
  });
});

describe("asking otherwise", () => {
  const data = { imageUrl: "/a", results, madeWith: { ...made, prompt: "a fox, in the snow" } };

  it("goes on from the prompt and the seed of the picture, so that differences add up", () => {
    expect(askingOtherwise(data, "a fox", "at night")).toEqual({ prompt: "a fox, in the snow, at night", seed: 7 });
    expect(askingOtherwise({ ...data, seed: 1 }, "a fox, in the snow", "at night")).toEqual({ prompt: "a fox, in the snow, at night", seed: 1 });
  });

  it("goes by the node where that says something else by now, and where nobody knows", () => {
    expect(askingOtherwise(data, "a foxglove", "at night").prompt).toBe("a foxglove, at night");
    expect(askingOtherwise(data, "", "at night").prompt).toBe("at night");
    expect(askingOtherwise({ imageUrl: "/a" }, "a fox", "at night")).toEqual({ prompt: "a fox, at night", seed: null });
  });
});

import { describe, expect, it } from "vitest";
import type { Provider } from "../client";
import { dollars, modelOf, priceOf, readyModels, sizeLabel, sizesOf, specOf, type Model } from "./offer";
import { readPicture, readResults } from "./picture";

const NOTHING = { sizes: [], aspectRatios: [], qualities: [], minSidePx: 64, maxSidePx: 2048, maxImages: 1, seed: false, negativePrompt: false, previousImage: false };
const model = (has: Partial<Model["capabilities"]>, price: number | null = 0): Model => ({ id: "m", label: "M", price, capabilities: { ...NOTHING, ...has } });
const wishes = readPicture({ prompt: "a fox", size: "512x512", seed: 7, n: 9, quality: "high", aspectRatio: "16:9", negativePrompt: "text" });

describe("what is asked of a model", () => {
  it("is only what it has", () => {
    expect(specOf(wishes, model({}), "a fox")).toEqual({ basePrompt: "a fox", size: "512x512" });
    expect(specOf(wishes, model({ seed: true, negativePrompt: true, maxImages: 4, qualities: ["low", "high"] }), "a fox")).toEqual({
      basePrompt: "a fox",
      size: "512x512",
      quality: "high",
      negativePrompt: "text",
      seed: 7,
      n: 4,
    });
    expect(specOf(wishes, model({ aspectRatios: ["1:1", "16:9"], qualities: ["low"] }), "a fox")).toEqual({ basePrompt: "a fox", aspectRatio: "16:9" });
    expect(specOf(wishes, model({ aspectRatios: ["1:1"] }), "a fox")).toEqual({ basePrompt: "a fox" });
    expect(specOf(wishes, model({ previousImage: true }), "a fox", "/objects/a")).toEqual({ basePrompt: "a fox", size: "512x512", previousImage: "/objects/a" });
    expect(specOf(wishes, model({}), "a fox", "/objects/a")).toEqual({ basePrompt: "a fox", size: "512x512" });
  });

  it("is what everybody has, of a model that nobody knows", () => {
    expect(specOf(wishes, undefined, "a fox")).toEqual({ basePrompt: "a fox", size: "512x512", seed: 7 });
  });
});

describe("sizes", () => {
  it("are the model's own, or those that fit in", () => {
    expect(sizesOf(model({ sizes: ["640x480"] }))).toEqual(["640x480"]);
    expect(sizesOf(model({ maxSidePx: 1024 }))).toEqual(["1024x1024", "512x512"]);
    expect(sizesOf(model({ aspectRatios: ["1:1"] }))).toEqual([]);
  });

  it("say their shape", () => {
    expect(sizeLabel("1536x1024")).toBe("Landscape, 1536 × 1024");
    expect(sizeLabel("512x512")).toBe("Square, 512 × 512");
    expect(sizeLabel("auto")).toBe("auto");
  });
});

describe("the price on the button", () => {
  it("is that of all pictures", () => {
    expect(priceOf(wishes, model({ maxImages: 4 }, 0.04)).text).toBe("about $0.16");
    expect(priceOf(wishes, model({}, 0.003)).text).toBe("about $0.0030");
    expect(dollars(0)).toBe("$0.00");
  });

  it("is not made up", () => {
    expect(priceOf(wishes, model({}, null))).toEqual({ text: "", title: "Nobody knows beforehand what a picture of M costs." });
    expect(priceOf(wishes, model({}, 0))).toEqual({ text: "", title: "M costs nothing." });
    expect(priceOf(wishes, undefined).text).toBe("");
  });
});

describe("the models to choose from", () => {
  const provider: Provider = { id: "p", name: "P", configured: true, models: [model({}), { ...model({}), id: "*" }, { ...model({}), id: "old", retiredAt: "2020-01-01" }] };
  it("are those that one can still have", () => {
    expect(readyModels(provider).map(({ id }) => id)).toEqual(["m"]);
    expect(modelOf([provider], { provider: "p", model: "m" })?.id).toBe("m");
    expect(modelOf(null, { provider: "p", model: "m" })).toBeUndefined();
  });
});

describe("the pictures of a run", () => {
  const results = [{ imageUrl: "/a", thumbnailUrl: "/b", seed: 7 }, { imageUrl: "/c" }, { imageUrl: 3 }, null, "x"];
  it("are read whoever wrote them", () => {
    expect(readResults({ imageUrl: "/c", results })).toEqual([
      { imageUrl: "/a", thumbnailUrl: "/b", seed: 7 },
      { imageUrl: "/c", thumbnailUrl: "/c", seed: null },
    ]);
    expect(readResults({ imageUrl: "/c", results: "all" })).toEqual([]);
  });
  it("are not told of a picture that came from elsewhere", () => {
    expect(readResults({ imageUrl: "/later", results })).toEqual([]);
  });
});

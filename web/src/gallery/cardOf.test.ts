import { expect, it } from "vitest";
import type { Render } from "../client";
import { cardOf } from "./cardOf";

const RENDER: Render = {
  id: "r1",
  jobId: "j1",
  workflowId: "w1",
  nodeId: "n1",
  imageUrl: "/objects/large.png",
  width: 768,
  height: 512,
  contentType: "image/png",
  variants: [{ kind: "thumbnail", url: "/objects/small.webp", width: 300, height: 300, contentType: "image/webp", blur: null }],
  origin: { prompt: "a fox", seed: 7, provider: "local", model: "studio-1" } as Render["origin"],
  createdAt: "2026-01-01T00:00:00Z",
  isFavorite: false,
  deletedAt: null,
};
const SHOWN = { imageUrl: "/objects/large.png", thumbnailUrl: "/objects/small.webp", status: "completed" };

it("PG44: shows the picture and asks for it again", () => {
  const data = { prompt: "a fox", seed: 7, provider: "local", model: "studio-1", size: "768x512", ...SHOWN };

  expect(cardOf(RENDER)).toEqual({ type: "image_generation", data });
});

it("PG44: only shows what was brought from elsewhere: nothing here could make it", () => {
  const brought: Render = { ...RENDER, origin: { ...RENDER.origin, provider: "import", prompt: "" } };

  expect(cardOf(brought)).toEqual({ type: "image_upload", data: { title: "Picture", ...SHOWN } });
});

import type { NodeRecord, Render } from "../client";

/** The card that shows this picture and would make it again; one that came from elsewhere is only shown. */
export function cardOf(render: Render): Required<Pick<NodeRecord, "type" | "data">> {
  const { prompt, seed, provider, model } = render.origin;
  const thumbnailUrl = render.variants.find(({ kind }) => kind === "thumbnail")?.url;
  const shown = { imageUrl: render.imageUrl, ...(thumbnailUrl !== undefined && { thumbnailUrl }), status: "completed" };
  if (provider === "import") return { type: "image_upload", data: { title: prompt || "Picture", ...shown } };
  const settings = { prompt, provider, model, size: `${render.width}x${render.height}`, ...(seed !== null && { seed }) };
  return { type: "image_generation", data: { ...settings, ...shown } };
}

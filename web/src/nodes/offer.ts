/** What a model really has, what is asked of it, and about what that costs. */
import type { PromptSpec, Provider } from "../client";
import type { Picture } from "./picture";

export type Model = Provider["models"][number];

const SIDES = ["1024x1024", "1536x1024", "1024x1536", "512x512", "1536x864", "2048x2048"];
const SHAPES: readonly (readonly [string, (ratio: number) => boolean])[] = [
  ["Square", (ratio) => ratio === 1],
  ["Landscape", (ratio) => ratio > 1],
  ["Portrait", (ratio) => ratio < 1],
];

/** Undefined as long as nobody knows it: before the list has come, and for one that only the provider knows. */
export function modelOf(providers: readonly Provider[] | null, picture: Pick<Picture, "provider" | "model">): Model | undefined {
  return providers?.find(({ id }) => id === picture.provider)?.models.find(({ id }) => id === picture.model);
}

/** Those that a picture can be asked of: set up, by name, and not taken off the market. */
export function readyModels({ models }: Provider, now = new Date().toISOString()): Model[] {
  return models.filter(({ id, retiredAt }) => id !== "*" && (retiredAt == null || retiredAt > now));
}

/** The sizes to choose from; none where the model goes by aspect ratio. */
export function sizesOf({ capabilities: { sizes, aspectRatios, minSidePx, maxSidePx } }: Model): readonly string[] {
  if (sizes.length > 0) return sizes;
  if (aspectRatios.length > 0) return [];
  return SIDES.filter((size) => size.split("x").every((side) => Number(side) >= minSidePx && Number(side) <= maxSidePx));
}

/** `1536x1024` reads “Landscape, 1536 × 1024”. */
export function sizeLabel(size: string): string {
  const [width, height] = size.split("x").map(Number);
  const shape = width && height ? SHAPES.find(([, is]) => is(width / height)) : undefined;
  return shape === undefined ? size : `${shape[0]}, ${width} × ${height}`;
}

/** As many as are asked for, and no more than the model makes in one run. */
export function countOf({ n }: Picture, model: Model | undefined): number {
  return Math.min(n, model?.capabilities.maxImages ?? 1);
}

/** What is asked for: only what this model has, so that a setting of another model refuses nothing. */
export function specOf(picture: Picture, model: Model | undefined, basePrompt: string, previousImage: string | null = null): PromptSpec {
  const { size, seed, quality, aspectRatio, negativePrompt } = picture;
  if (model === undefined) return { basePrompt, size, ...(seed !== null && { seed }) };
  const { capabilities: has } = model;
  const n = countOf(picture, model);
  const goesByRatio = has.sizes.length === 0 && has.aspectRatios.length > 0;
  return {
    basePrompt,
    ...given("size", !goesByRatio, size),
    ...given("aspectRatio", goesByRatio && has.aspectRatios.includes(aspectRatio ?? ""), aspectRatio),
    ...given("quality", has.qualities.includes(quality ?? ""), quality),
    ...given("negativePrompt", has.negativePrompt, negativePrompt),
    ...given("previousImage", has.previousImage, previousImage),
    ...given("seed", has.seed, seed),
    ...given("n", n > 1, n),
  };
}

function given(key: keyof PromptSpec, isTaken: boolean, value: string | number | null): Partial<PromptSpec> {
  return isTaken && value !== null ? { [key]: value } : {};
}

/** What stands on the button beside “Generate”, and what it means. The price is that of the model's usual size and quality. */
export function priceOf(picture: Picture, model: Model | undefined): { text: string; title: string } {
  if (model === undefined) return { text: "", title: "" };
  const n = countOf(picture, model);
  const pictures = n === 1 ? "a picture" : `${n} pictures`;
  if (model.price === null) return { text: "", title: `Nobody knows beforehand what ${pictures} of ${model.label} costs.` };
  if (model.price === 0) return { text: "", title: `${model.label} costs nothing.` };
  const text = `about ${dollars(n * model.price)}`;
  return { text, title: `${model.label}: ${text} for ${pictures}. Other sizes and qualities cost more or less.` };
}

/** `$0.04`, and `$0.0035` where cents would round it away. */
export function dollars(amount: number): string {
  return `$${amount.toFixed(amount !== 0 && amount < 0.01 ? 4 : 2)}`;
}

import type { Render } from "../client";
import { CARD } from "../editor/fragment";

/** How large the card of this picture will be, about: what an empty one has, and the picture. */
export function sizeOfCard({ width, height }: Pick<Render, "width" | "height">): typeof CARD {
  return { width: CARD.width, height: CARD.height + Math.round((CARD.width * height) / width) };
}

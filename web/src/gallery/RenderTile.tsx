import { memo } from "react";
import type { Render } from "../client";
import { Icon } from "../ui/Icon";
import { TilePicture } from "./TilePicture";

export function smallUrl(render: Render): string {
  return render.variants.find(({ kind }) => kind === "thumbnail")?.url ?? render.imageUrl;
}

export const RenderTile = memo(function RenderTile({ render }: { render: Render }) {
  return (
    <>
      <TilePicture src={smallUrl(render)} blur={render.variants.find(({ kind }) => kind === "thumbnail")?.blur} />
      <span className="tile__mark" data-mark aria-hidden="true">
        <Icon name="check" />
      </span>
      {render.isFavorite && (
        <span className="tile__star" aria-hidden="true">
          <Icon name="star" />
        </span>
      )}
      <span className="tile__text" aria-hidden="true">
        {render.origin.prompt || "No prompt"}
      </span>
    </>
  );
});

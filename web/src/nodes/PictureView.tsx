import { useStore } from "@xyflow/react";
import { useState } from "react";
import { openLightbox } from "../editor/lightbox";
import { ratioOf, type Picture } from "./picture";

const THUMBNAIL_ZOOM = 0.6; // below it 300 thumbnail pixels are enough for a card, even on a dense screen

export function PictureView({ nodeId, picture }: { nodeId: string; picture: Picture }) {
  const isFar = useStore((state) => state.transform[2] < THUMBNAIL_ZOOM);
  const [ratio, setRatio] = useState<number | null>(null);
  const { thumbnailUrl, imageUrl } = picture;
  const url = (isFar ? thumbnailUrl : null) ?? imageUrl ?? thumbnailUrl;
  if (url === null) return null;
  return (
    <button
      type="button"
      className="picture"
      style={{
        aspectRatio: ratio ?? ratioOf(picture.size),
        backgroundImage: thumbnailUrl === null ? undefined : `url(${JSON.stringify(thumbnailUrl)})`,
      }}
      aria-label={`Open picture: ${picture.prompt || "no prompt"}`}
      onClick={() => openLightbox(nodeId)}
    >
      <img
        data-testid="picture"
        src={url}
        alt={picture.prompt || "Picture without a prompt"}
        draggable={false}
        decoding="async"
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => {
          if (url === imageUrl) setRatio(naturalWidth / naturalHeight); // a thumbnail is a square cut
        }}
      />
    </button>
  );
}

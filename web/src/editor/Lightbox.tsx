import type { KeyboardEvent } from "react";
import { useCanvasState } from "../react";
import { readPicture } from "../nodes/picture";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { closeLightbox, openLightbox, useLightbox } from "./lightbox";

export function Lightbox() {
  const nodeId = useLightbox((state) => state.nodeId);
  const records = useCanvasState((state) => state.room.document.nodes);
  const pictures = records.flatMap((record) => {
    const picture = readPicture(record.data);
    return picture.imageUrl === null ? [] : [{ id: record.id, url: picture.imageUrl, prompt: picture.prompt }];
  });
  const at = pictures.findIndex(({ id }) => id === nodeId);
  const shown = pictures[at];
  if (shown === undefined) return null;

  const step = (by: number): void => {
    const next = pictures[(at + by + pictures.length) % pictures.length];
    if (next) openLightbox(next.id);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    event.stopPropagation();
    if (event.key === "ArrowRight") step(1);
    if (event.key === "ArrowLeft") step(-1);
  };
  const hasMore = pictures.length > 1;
  return (
    <Dialog label="Picture" className="lightbox" data-testid="lightbox" onClose={closeLightbox} onKeyDown={onKeyDown}>
      <img className="lightbox__picture" src={shown.url} alt={shown.prompt || "Picture without a prompt"} />
      <div className="lightbox__bar">
        {hasMore && <Button look="ghost" icon="previous" aria-label="Previous picture" onClick={() => step(-1)} />}
        <p>{shown.prompt}</p>
        {hasMore && (
          <span className="lightbox__count">
            {at + 1} / {pictures.length}
          </span>
        )}
        {hasMore && <Button look="ghost" icon="next" aria-label="Next picture" onClick={() => step(1)} />}
        <a className="button button--ghost" href={shown.url} target="_blank" rel="noreferrer">
          Open original
        </a>
        <Button look="ghost" icon="close" aria-label="Close" autoFocus onClick={closeLightbox} />
      </div>
    </Dialog>
  );
}

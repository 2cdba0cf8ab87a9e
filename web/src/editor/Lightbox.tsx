import { useState, type KeyboardEvent } from "react";
import type { NodeRecord } from "../client";
import { useCanvas, useCanvasState, useMayEdit } from "../react";
import { readMadeWith, type MadeWith } from "../nodes/madeWith";
import { readPicture, readResults } from "../nodes/picture";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";
import { Dialog } from "../ui/Dialog";
import { say } from "../ui/toasts";
import { closeLightbox, openLightbox, useLightbox } from "./lightbox";
import { TakePrompt } from "./TakePrompt";

interface Large {
  nodeId: string;
  imageUrl: string;
  /** What it was made with, or, if nobody knows, what its node says now. */
  prompt: string;
  seed: number | null;
  made: MadeWith | null;
}

/** Every picture of the canvas, node after node; of a node that made several, each of them. */
function picturesOf(records: readonly NodeRecord[]): Large[] {
  return records.flatMap(({ id, data }) => {
    const { imageUrl, prompt } = readPicture(data);
    if (imageUrl === null) return [];
    const results = readResults(data);
    const made = readMadeWith(data);
    const all = results.length > 0 ? results : [{ imageUrl, seed: null }];
    return all.map((result) => ({ nodeId: id, imageUrl: result.imageUrl, prompt: made?.prompt ?? prompt, seed: result.seed, made }));
  });
}

export function Lightbox() {
  const isOpen = useLightbox((state) => state.nodeId !== null);
  return isOpen ? <OpenLightbox /> : null;
}

function OpenLightbox() {
  const { nodeId, imageUrl } = useLightbox();
  const records = useCanvasState((state) => state.room.document.nodes);
  const [isLarge, setLarge] = useState(false);
  const [besideUrl, setBeside] = useState<string | null>(null);
  const pictures = picturesOf(records);
  const own = imageUrl ?? readPicture(records.find(({ id }) => id === nodeId)?.data ?? {}).imageUrl;
  const at = pictures.findIndex((picture) => picture.nodeId === nodeId && picture.imageUrl === own);
  const shown = pictures[at];
  if (shown === undefined) return null;
  const beside = pictures.find((picture) => picture.imageUrl === besideUrl && picture !== shown);
  const current = beside ?? shown;
  const hasMore = pictures.length > 1;

  const step = (by: number): void => {
    const others = beside === undefined ? pictures : pictures.filter((picture) => picture !== shown);
    const from = others.indexOf(current);
    const next = others[(from + by + others.length) % others.length];
    if (next === undefined) return;
    if (beside !== undefined) setBeside(next.imageUrl);
    else openLightbox(next.nodeId, next.imageUrl);
  };
  const zoom = (): void => setLarge(!isLarge);
  const compare = (): void => {
    setLarge(false);
    setBeside(beside === undefined ? (pictures[(at + 1) % pictures.length]?.imageUrl ?? null) : null);
  };
  const acts: Record<string, () => void> = {
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    c: () => hasMore && compare(),
    z: zoom,
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    event.stopPropagation();
    if (!event.ctrlKey && !event.metaKey && !event.altKey) acts[event.key]?.();
  };
  return (
    <Dialog label="Picture" className="lightbox" data-testid="lightbox" onClose={closeLightbox} onKeyDown={onKeyDown}>
      <div className={`lightbox__stage${isLarge ? " lightbox__stage--large" : ""}`}>
        <FullPicture picture={shown} onZoom={zoom} />
        {beside && <FullPicture picture={beside} onZoom={zoom} />}
      </div>
      <div className="lightbox__bar">
        {hasMore && <Button look="ghost" icon="previous" aria-label="Previous picture" onClick={() => step(-1)} />}
        <p>{current.prompt}</p>
        {hasMore && (
          <span className="lightbox__count">
            {pictures.indexOf(current) + 1} / {pictures.length}
          </span>
        )}
        {hasMore && <Button look="ghost" icon="next" aria-label="Next picture" onClick={() => step(1)} />}
        <Button look="ghost" icon="zoom-in" aria-label="Real size (Z)" aria-pressed={isLarge} onClick={zoom} />
        {hasMore && <Button look="ghost" icon="columns" aria-label="Compare with another (C)" aria-pressed={beside !== undefined} onClick={compare} />}
        <TakePrompt nodeId={current.nodeId} made={current.made} seed={current.seed} />
        <TakeSeed picture={current} />
        <a className="button button--ghost button--icon" href={current.imageUrl} download aria-label="Download" title="Download">
          <Icon name="download" />
        </a>
        <Button look="ghost" icon="close" aria-label="Close" autoFocus onClick={closeLightbox} />
      </div>
    </Dialog>
  );
}

function FullPicture({ picture: { imageUrl, prompt }, onZoom }: { picture: Large; onZoom: () => void }) {
  return <img className="lightbox__picture" src={imageUrl} alt={prompt || "Picture without a prompt"} onClick={onZoom} />;
}

/** The seed that was drawn for this picture, put down in its node: the next one will be a variation of this one. */
function TakeSeed({ picture: { nodeId, seed } }: { picture: Large }) {
  const canvas = useCanvas();
  const mayEdit = useMayEdit();
  if (!mayEdit || seed === null) return null;
  const take = (): void => {
    void canvas.setNode(nodeId, { "/data/seed": seed });
    say(`The node draws with seed ${seed} from now on.`, { action: { label: "Undo", run: canvas.undo } });
    closeLightbox();
  };
  return (
    <Button look="ghost" onClick={take}>
      Use seed {seed}
    </Button>
  );
}

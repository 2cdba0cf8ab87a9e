import { useState, type KeyboardEvent } from "react";
import type { Render } from "../client";
import { canvasPath, followLink } from "../route";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { say, sayError } from "../ui/toasts";
import { Fact } from "../ui/Fact";
import { Lineage } from "./Lineage";
import { UseAgain } from "./UseAgain";

interface RenderDetailProps {
  render: Render;
  onClose: () => void;
  onStep: (by: number) => void;
  onFavorite: () => void;
  onDownload: () => void;
  onMove: () => void;
}

const written = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

export function RenderDetail({ render: opened, onClose, onStep, onFavorite, onDownload, onMove }: RenderDetailProps) {
  const [relative, setRelative] = useState<Render | null>(null); // a parent or child that is looked at
  const [isChoosing, setChoosing] = useState(false);
  const render = relative ?? opened;
  const { prompt, seed, provider, model } = render.origin;
  const isOpened = relative === null;

  const onKeyDown = (event: KeyboardEvent): void => {
    event.stopPropagation();
    if (event.target instanceof HTMLSelectElement) return;
    if (event.key === "ArrowRight") onStep(1);
    if (event.key === "ArrowLeft") onStep(-1);
    if (event.key === "f" && isOpened) onFavorite();
    if (event.key === "Delete" && isOpened) onMove();
  };
  const copyPrompt = (): void => {
    navigator.clipboard.writeText(prompt).then(() => say("Prompt copied."), sayError);
  };
  return (
    <Dialog label="Picture" className="detail" data-testid="detail" onClose={onClose} onKeyDown={onKeyDown}>
      <div className="detail__stage">
        <a href={render.imageUrl} target="_blank" rel="noreferrer" title="Open in full size">
          <img src={render.imageUrl} alt={prompt || "Picture without a prompt"} width={render.width} height={render.height} />
        </a>
        <Button look="ghost" icon="previous" className="detail__step detail__step--back" aria-label="Previous picture" onClick={() => onStep(-1)} />
        <Button look="ghost" icon="next" className="detail__step detail__step--on" aria-label="Next picture" onClick={() => onStep(1)} />
      </div>
      <aside className="detail__side">
        <header className="detail__head">
          {isOpened ? (
            <Button
              look="ghost"
              icon="star"
              aria-label={render.isFavorite ? "No longer a favourite" : "Favourite"}
              aria-pressed={render.isFavorite}
              data-testid="favorite"
              onClick={onFavorite}
            />
          ) : (
            <Button look="ghost" icon="back" onClick={() => setRelative(null)}>
              Back
            </Button>
          )}
          {isOpened && <Button look="ghost" icon="download" aria-label="Download" onClick={onDownload} />}
          {isOpened && (
            <Button
              look="ghost"
              icon={render.deletedAt === null ? "trash" : "undo"}
              aria-label={render.deletedAt === null ? "Delete" : "Restore"}
              onClick={onMove}
            />
          )}
          <Button look="ghost" icon="close" className="detail__close" aria-label="Close" autoFocus onClick={onClose} />
        </header>
        <p className="detail__prompt">{prompt || "No prompt"}</p>
        <div className="detail__acts">
          {provider !== "import" && (
            <Button look="primary" icon="sparkle" onClick={() => setChoosing(true)}>
              Use these settings again
            </Button>
          )}
          {prompt !== "" && (
            <Button icon="copy" onClick={copyPrompt}>
              Copy prompt
            </Button>
          )}
        </div>
        {isChoosing && <UseAgain render={render} onDone={() => setChoosing(false)} />}
        <dl className="facts">
          <Fact name="Model" value={model} />
          <Fact name="Provider" value={provider} />
          <Fact name="Seed" value={seed === null ? "Not known" : String(seed)} />
          <Fact name="Size" value={`${render.width} × ${render.height}`} />
          <Fact name="Made" value={written.format(new Date(render.createdAt))} />
        </dl>
        <Lineage key={render.id} render={render} onShow={setRelative} />
        <ItsCanvas id={render.workflowId} />
      </aside>
    </Dialog>
  );
}

function ItsCanvas({ id }: { id: string | null }) {
  if (id === null) return null;
  return (
    <a className="detail__canvas" href={canvasPath(id)} onClick={followLink}>
      Open its canvas
    </a>
  );
}

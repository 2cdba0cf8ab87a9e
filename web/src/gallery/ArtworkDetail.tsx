import { useState, type KeyboardEvent, type SubmitEvent } from "react";
import type { Artwork } from "../client";
import { http } from "../session";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { say, sayError } from "../ui/toasts";
import { fileNameOf, save } from "./saving";

interface ArtworkDetailProps {
  artwork: Artwork;
  onClose: () => void;
  onChanged: (artwork: Artwork) => void;
  onDelete: () => void;
}

export function ArtworkDetail({ artwork, onClose, onChanged, onDelete }: ArtworkDetailProps) {
  const [isBusy, setBusy] = useState(false);
  const keepKeys = (event: KeyboardEvent): void => event.stopPropagation();

  const onSubmit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string): string => {
      const value = form.get(name);
      return typeof value === "string" ? value.trim() : "";
    };
    const tags = text("tags").split(",").map((tag) => tag.trim()).filter((tag) => tag !== "");
    setBusy(true);
    http
      .changeArtwork(artwork.id, { title: text("title"), description: text("description") || null, category: text("category") || "other", tags })
      .then(({ data }) => {
        onChanged(data);
        say("Saved.");
      }, sayError)
      .finally(() => setBusy(false));
  };
  return (
    <Dialog label="Artwork" className="detail" data-testid="detail" onClose={onClose} onKeyDown={keepKeys}>
      <div className="detail__stage">
        <a href={artwork.displayUrl} target="_blank" rel="noreferrer" title="Open in full size">
          <img src={artwork.displayUrl} alt={artwork.title} />
        </a>
      </div>
      <aside className="detail__side">
        <header className="detail__head">
          <Button look="ghost" icon="download" aria-label="Download" onClick={() => save(artwork.originalUrl, fileNameOf(artwork.title))} />
          <Button look="ghost" icon="trash" aria-label="Delete" onClick={onDelete} />
          <Button look="ghost" icon="close" className="detail__close" aria-label="Close" onClick={onClose} />
        </header>
        <form className="form" onSubmit={onSubmit}>
          <label>
            Title
            <input name="title" defaultValue={artwork.title} required maxLength={200} />
          </label>
          <label>
            Description
            <textarea name="description" defaultValue={artwork.description ?? ""} maxLength={5000} />
          </label>
          <label>
            Category
            <input name="category" defaultValue={artwork.category} maxLength={60} />
          </label>
          <label>
            Tags, with commas between them
            <input name="tags" defaultValue={artwork.tags.join(", ")} />
          </label>
          <Button type="submit" look="primary" disabled={isBusy}>
            Save
          </Button>
        </form>
        <dl className="facts">
          <div>
            <dt>Slug</dt>
            <dd>{artwork.slug}</dd>
          </div>
        </dl>
      </aside>
    </Dialog>
  );
}

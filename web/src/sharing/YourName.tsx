import { useState, type SyntheticEvent } from "react";
import { useSession } from "../session";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { sayError } from "../ui/toasts";
import "./sharing.css";

const LONGEST_NAME = 80;

/** What the others call you. */
export function YourName({ onClose, onRenamed }: { onClose: () => void; onRenamed?: () => void }) {
  const { me, rename } = useSession();
  const [name, setName] = useState(isNameless(me) ? "" : me.name);
  const [isBusy, setBusy] = useState(false);
  const save = (event: SyntheticEvent): void => {
    event.preventDefault();
    setBusy(true);
    rename(name.trim()).then(() => {
      onRenamed?.();
      onClose();
    }, sayError).finally(() => setBusy(false));
  };
  return (
    <Dialog label="Your name" className="dialog your-name" onClose={onClose}>
      <form onSubmit={save}>
        <header className="sheet__head">
          <h2>Your name</h2>
          <Button look="ghost" icon="close" aria-label="Close" onClick={onClose} />
        </header>
        <p className="share__hint">Others see it beside your cursor and on what you do.</p>
        <div className="share__row">
          <input
            className="field share__name"
            aria-label="Your name"
            placeholder="Name"
            autoFocus
            maxLength={LONGEST_NAME}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Button type="submit" look="primary" disabled={name.trim() === "" || isBusy}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Came through a link, and has not said who they are. */
export function isNameless({ role, name }: { role: string; name: string }): boolean {
  return role === "guest" && name === "Guest";
}

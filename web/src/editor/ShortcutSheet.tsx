import { useMayEdit } from "../react";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { SHORTCUTS } from "./shortcuts";

const COMMAND = /mac/i.test(navigator.userAgent) ? "⌘" : "Ctrl";

export function ShortcutSheet({ onClose }: { onClose: () => void }) {
  const mayEdit = useMayEdit();
  return (
    <Dialog label="Shortcuts" className="dialog sheet" onClose={onClose}>
      <header className="sheet__head">
        <h2>Shortcuts</h2>
        <Button look="ghost" icon="close" aria-label="Close" onClick={onClose} />
      </header>
      <dl className="sheet__list">
        {SHORTCUTS.filter((shortcut) => mayEdit || !shortcut.isEdit).map(({ keys, label }) => (
          <div key={keys}>
            <dt>{label}</dt>
            <dd>
              <kbd>{keys.replace("Ctrl", COMMAND)}</kbd>
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

import { useMayEdit } from "../react";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { keysOf, SHORTCUTS } from "./shortcuts";

const CHAPTERS = [...new Set(SHORTCUTS.map(({ chapter }) => chapter))];

export function ShortcutSheet({ onClose }: { onClose: () => void }) {
  const mayEdit = useMayEdit();
  const shown = SHORTCUTS.filter((shortcut) => mayEdit || !shortcut.isEdit);
  return (
    <Dialog label="Shortcuts" className="dialog sheet" onClose={onClose}>
      <header className="sheet__head">
        <h2>Shortcuts</h2>
        <Button look="ghost" icon="close" aria-label="Close" onClick={onClose} />
      </header>
      <div className="sheet__chapters">
        {CHAPTERS.map((chapter) => {
          const rows = shown.filter((shortcut) => shortcut.chapter === chapter);
          return rows.length === 0 ? null : (
            <section key={chapter}>
              <h3>{chapter}</h3>
              <dl className="sheet__list">
                {rows.map((shortcut) => (
                  <div key={shortcut.keys}>
                    <dt>{shortcut.label}</dt>
                    <dd>
                      <kbd>{keysOf(shortcut)}</kbd>
                    </dd>
                  </div>
                ))}
              </dl>
            </section>
          );
        })}
      </div>
    </Dialog>
  );
}

import { useEffect, useRef, useState, type SubmitEvent, type KeyboardEvent } from "react";
import { useMayEdit } from "../react";
import { Button } from "../ui/Button";
import { Loading } from "../ui/Loading";
import { isTyping } from "../editor/shortcuts";
import "./history.css";
import { closeHistory, stepBack, useHistoryPanel } from "./panel";
import { Preview } from "./Preview";
import { useVersions } from "./useVersions";
import { VersionItem } from "./VersionItem";

/** The list of versions beside the canvas, and the one that is looked at in its place. */
export default function History({ workflowId }: { workflowId: string }) {
  const mayEdit = useMayEdit();
  const shown = useHistoryPanel((state) => state.shown);
  const versions = useVersions(workflowId);
  const { items, failure, hasMore, loadMore, retry, restore } = versions;
  const panel = useRef<HTMLElement>(null);

  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  useEffect(() => {
    const onKeyDown = (event: globalThis.KeyboardEvent): void => {
      if (event.key === "Escape" && !isTyping(event.target)) stepBack();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);

  return (
    <>
      {shown !== null && <Preview key={shown.version} version={shown} workflowId={workflowId} onRestore={mayEdit ? () => restore(shown.version) : undefined} />}
      <aside ref={panel} className="versions" aria-label="Version history" tabIndex={-1} onKeyDown={walk}>
        <header className="versions__head">
          <h2>Version history</h2>
          <Button look="ghost" icon="close" aria-label="Close version history" onClick={closeHistory} />
        </header>
        {mayEdit && <KeepForm onKeep={versions.keep} />}
        <div className="versions__body">
          {failure !== null && (
            <div className="versions__note" role="alert">
              <p>{failure.message}</p>
              <Button onClick={retry}>Try again</Button>
            </div>
          )}
          {items === null && failure === null && <Loading label="Loading versions" />}
          {items?.length === 0 && <p className="versions__note">No versions yet. Easel keeps one by itself ten minutes after a change; keep one yourself whenever you like.</p>}
          {items !== null && items.length > 0 && (
            <ul aria-label="Versions">
              {items.map((version) => (
                <VersionItem
                  key={version.version}
                  version={version}
                  isShown={version.version === shown?.version}
                  mayEdit={mayEdit}
                  onShow={() => void versions.show(version)}
                  onRename={(name) => versions.rename(version, name)}
                  onRemove={() => versions.remove(version)}
                />
              ))}
            </ul>
          )}
          {hasMore && failure === null && <Button onClick={loadMore}>Show older versions</Button>}
        </div>
      </aside>
    </>
  );
}

/** Arrow keys go through the versions, Home and End to the newest and the oldest. */
function walk(event: KeyboardEvent<HTMLElement>): void {
  if (isTyping(event.target)) return;
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>(".version__open")];
  const current = all.findIndex((item) => item === document.activeElement);
  const next = { ArrowDown: current + 1, ArrowUp: Math.max(0, current - 1), Home: 0, End: all.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  all[Math.min(next, all.length - 1)]?.focus();
}

function KeepForm({ onKeep }: { onKeep: (name: string) => Promise<void> }) {
  const [name, setName] = useState("");
  const [isBusy, setBusy] = useState(false);
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    setBusy(true);
    void onKeep(name.trim()).finally(() => {
      setBusy(false);
      setName("");
    });
  };
  return (
    <form className="versions__form" onSubmit={onSubmit}>
      <input
        className="field versions__name"
        aria-label="Name of the version"
        placeholder="Name (optional)"
        maxLength={200}
        value={name}
        onChange={({ currentTarget }) => setName(currentTarget.value)}
      />
      <Button type="submit" disabled={isBusy}>
        Keep a version
      </Button>
    </form>
  );
}

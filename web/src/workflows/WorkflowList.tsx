import { useEffect, useRef, useState, type DragEvent } from "react";
import { newId } from "../client";
import { canvasPath, navigate } from "../route";
import { http, useMe } from "../session";
import { SiteBar } from "../SiteBar";
import { Button } from "../ui/Button";
import { Loading } from "../ui/Loading";
import { sayError } from "../ui/toasts";
import { importFile } from "./importing";
import { useWorkflows } from "./useWorkflows";
import { WorkflowItem } from "./WorkflowItem";

export function WorkflowList() {
  const { items, failure, reload, loadMore, rename, remove } = useWorkflows();
  const [isBusy, setBusy] = useState(false);
  const [isOver, setOver] = useState(false);
  const isGuest = useMe().role === "guest";
  const picker = useRef<HTMLInputElement>(null);

  useEffect(() => {
    document.title = "Easel";
  }, []);

  const open = (making: Promise<{ id: string }>): void => {
    setBusy(true);
    making
      .then(({ id }) => navigate(canvasPath(id)), sayError)
      .finally(() => setBusy(false));
  };
  const create = (): void => open(http.createWorkflow({ name: "Untitled canvas" }, newId()));
  const onDrop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file && !isGuest) open(importFile(file));
  };

  return (
    <div
      className={`gallery${isOver ? " gallery--over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(!isGuest);
      }}
      onDragLeave={(event) => event.currentTarget === event.target && setOver(false)}
      onDrop={onDrop}
    >
      <SiteBar />
      <main className="gallery__main">
        <div className="gallery__head">
          <h1>Canvases</h1>
          {!isGuest && (
            <>
              <Button icon="upload" disabled={isBusy} onClick={() => picker.current?.click()}>
                Import JSON
              </Button>
              <Button look="primary" icon="plus" data-testid="new-workflow" disabled={isBusy} onClick={create}>
                New canvas
              </Button>
              <input
                ref={picker}
                className="visually-hidden"
                type="file"
                accept="application/json,.json"
                aria-label="Import a JSON file"
                tabIndex={-1}
                onChange={(event) => {
                  const file = event.currentTarget.files?.[0];
                  event.currentTarget.value = "";
                  if (file) open(importFile(file));
                }}
              />
            </>
          )}
        </div>
        {failure && (
          <div className="gallery__empty" role="alert">
            <h2>The list could not be loaded</h2>
            <p>{failure.message}</p>
            <Button onClick={reload}>Try again</Button>
          </div>
        )}
        {items === null && failure === null && <Loading label="Loading canvases" />}
        {items?.length === 0 && <NoCanvas isGuest={isGuest} isBusy={isBusy} onCreate={create} />}
        <ul className="gallery__list">
          {items?.map((item) => (
            <WorkflowItem
              key={item.id}
              workflow={item}
              onRename={(name) => rename(item.id, name)}
              onRemove={() => remove(item)}
            />
          ))}
        </ul>
        {loadMore && <Button onClick={loadMore}>Show more</Button>}
      </main>
      {isOver && <div className="gallery__drop">Drop the JSON file to import it</div>}
    </div>
  );
}

function NoCanvas({ isGuest, isBusy, onCreate }: { isGuest: boolean; isBusy: boolean; onCreate: () => void }) {
  if (isGuest) {
    return (
      <div className="gallery__empty">
        <h2>Nothing is shared with you at the moment</h2>
        <p>Open the link that somebody gave you again, or ask them for a new one.</p>
      </div>
    );
  }
  return (
    <div className="gallery__empty">
      <h2>Nothing here yet</h2>
      <p>Start with an empty canvas, or drop a React Flow JSON file anywhere on this page.</p>
      <Button look="primary" icon="plus" disabled={isBusy} onClick={onCreate}>
        Start a canvas
      </Button>
    </div>
  );
}

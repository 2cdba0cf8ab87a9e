import { useState, type KeyboardEvent } from "react";
import type { Render, RenderQuery } from "../client";
import { followLink } from "../route";
import { Button } from "../ui/Button";
import { Loading } from "../ui/Loading";
import { ListEnd } from "./ListEnd";
import { RenderDetail } from "./RenderDetail";
import { RenderTile } from "./RenderTile";
import { extended, NOTHING, toggled } from "./selection";
import { SelectionBar } from "./SelectionBar";
import { useRenders } from "./useRenders";
import { VirtualGrid } from "./VirtualGrid";

interface RenderListProps {
  wanted: RenderQuery;
  onClear: () => void;
}

const idOf = ({ id }: Render): string => id;
const nameOf = ({ origin, isFavorite }: Render): string =>
  `${origin.prompt || "No prompt"}${isFavorite ? ", favourite" : ""}`;

export function RenderList({ wanted, onClear }: RenderListProps) {
  const renders = useRenders(wanted);
  const { items, hasMore, failure, retry } = renders;
  if (items !== null && (items.length > 0 || hasMore)) return <RenderGrid renders={renders} shown={items} isTrash={wanted.deleted === true} />;
  if (failure !== null) {
    return (
      <div className="gallery__empty" role="alert">
        <h2>Your pictures could not be loaded</h2>
        <p>{failure.message}</p>
        <Button onClick={retry}>Try again</Button>
      </div>
    );
  }
  return items === null ? <Loading label="Loading pictures" /> : <Nothing wanted={wanted} onClear={onClear} />;
}

interface RenderGridProps {
  renders: ReturnType<typeof useRenders>;
  shown: readonly Render[];
  isTrash: boolean;
}

function RenderGrid({ renders, shown, isTrash }: RenderGridProps) {
  const { hasMore, failure, loadMore, retry, selection, setSelection, move, setFavorite, download } = renders;
  const [openId, setOpenId] = useState<string | null>(null);
  const chosen = shown.filter(({ id }) => selection.ids.has(id));
  const openAt = shown.findIndex(({ id }) => id === openId);
  const open = shown[openAt];

  const onPick = (render: Render, how: "open" | "toggle" | "extend"): void => {
    if (how === "extend") setSelection((known) => extended(known, render.id, shown.map(idOf)));
    else if (how === "toggle" || selection.ids.size > 0) setSelection((known) => toggled(known, render.id));
    else setOpenId(render.id);
  };
  const onKey = (event: KeyboardEvent, render: Render): void => {
    const meant = chosen.length > 0 ? chosen : [render];
    const hasModifier = event.ctrlKey || event.metaKey;
    if (event.key === "Escape") setSelection(NOTHING);
    else if (event.key === "Delete" || event.key === "Backspace") move(meant, !isTrash);
    else if (event.key.toLowerCase() === "a" && hasModifier) setSelection({ ids: new Set(shown.map(idOf)), anchor: null });
    else if (event.key.toLowerCase() === "f" && !hasModifier) setFavorite(meant, !meant.every((one) => one.isFavorite));
    else return;
    event.preventDefault();
  };

  return (
    <>
      <VirtualGrid
        label={isTrash ? "Recently deleted pictures" : "My renders"}
        items={shown}
        idOf={idOf}
        nameOf={nameOf}
        isChosen={(id) => selection.ids.has(id)}
        hasMore={hasMore && failure === null}
        onNearEnd={loadMore}
        onPick={onPick}
        onKey={onKey}
        footer={<ListEnd count={shown.length} hasMore={hasMore} failure={failure} onRetry={retry} />}
      >
        {(render) => <RenderTile render={render} />}
      </VirtualGrid>
      {chosen.length > 0 && (
        <SelectionBar count={chosen.length} onClear={() => setSelection(NOTHING)}>
          {!isTrash && (
            <>
              <Button look="ghost" icon="star" onClick={() => setFavorite(chosen, !chosen.every((one) => one.isFavorite))}>
                Favourite
              </Button>
              <Button look="ghost" icon="download" onClick={() => download(chosen)}>
                Download
              </Button>
            </>
          )}
          <Button look="ghost" icon={isTrash ? "undo" : "trash"} onClick={() => move(chosen, !isTrash)}>
            {isTrash ? "Restore" : "Delete"}
          </Button>
        </SelectionBar>
      )}
      {open && (
        <RenderDetail
          key={open.id}
          render={open}
          onClose={() => setOpenId(null)}
          onStep={(by) => setOpenId(shown[(openAt + by + shown.length) % shown.length]?.id ?? null)}
          onFavorite={() => setFavorite([open], !open.isFavorite)}
          onDownload={() => download([open])}
          onMove={() => {
            setOpenId(shown[openAt + 1]?.id ?? shown[openAt - 1]?.id ?? null);
            move([open], !isTrash);
          }}
        />
      )}
    </>
  );
}

function Nothing({ wanted, onClear }: RenderListProps) {
  const isFiltered = Object.keys(wanted).length > 0;
  if (wanted.deleted) {
    return (
      <div className="gallery__empty">
        <h2>Nothing was deleted lately</h2>
        <p>Deleted pictures wait here before they go for good.</p>
        <Button onClick={onClear}>Back to my renders</Button>
      </div>
    );
  }
  return (
    <div className="gallery__empty">
      <h2>{isFiltered ? "No picture like that" : "No pictures yet"}</h2>
      <p>{isFiltered ? "Try other words, or look at all of them." : "Every picture you generate on a canvas is kept here."}</p>
      {isFiltered ? (
        <Button onClick={onClear}>Show all</Button>
      ) : (
        <a className="button button--primary" href="/" onClick={followLink}>
          Open a canvas
        </a>
      )}
    </div>
  );
}

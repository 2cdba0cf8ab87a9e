import { useCallback, useEffect, useRef, useState, type DragEvent } from "react";
import { newId, type Artwork } from "../client";
import { http } from "../session";
import { SiteBar } from "../SiteBar";
import { Button } from "../ui/Button";
import { Loading } from "../ui/Loading";
import { say, sayError } from "../ui/toasts";
import { startUpload } from "../upload/uploads";
import { ArtworkDetail } from "./ArtworkDetail";
import "./gallery.css";
import { ListEnd } from "./ListEnd";
import { SearchField } from "./SearchField";
import { TilePicture } from "./TilePicture";
import { UploadList } from "./UploadList";
import { usePages } from "./usePages";
import { VirtualGrid } from "./VirtualGrid";

const idOf = ({ id }: Artwork): string => id;
const nameOf = ({ title }: Artwork): string => title;
const nobody = (): boolean => false;

export default function ArtworksPage() {
  const [q, setQ] = useState("");
  const load = useCallback((cursor?: string) => http.listArtworks(q, cursor), [q]);
  const { items, hasMore, failure, loadMore, retry, change } = usePages<Artwork>(load);
  const [openId, setOpenId] = useState<string | null>(null);
  const [isOver, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const open = items?.find(({ id }) => id === openId);

  useEffect(() => {
    document.title = "Artworks · Easel";
  }, []);

  const putIn = (artwork: Artwork): void => {
    change((known) => {
      const all = [artwork, ...known.filter(({ id }) => id !== artwork.id)];
      return all.sort((one, other) => other.createdAt.localeCompare(one.createdAt));
    });
  };
  const send = (files: Iterable<File>): void => {
    for (const file of files) startUpload({ id: newId(), file, onDone: putIn });
  };
  const onDrop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    send(event.dataTransfer.files);
  };
  const remove = (artwork: Artwork): void => {
    const undo = (): void => {
      http.restoreArtwork(artwork.id).then(({ data }) => putIn(data), sayError);
    };
    setOpenId(null);
    http.deleteArtwork(artwork.id).then(() => {
      change((known) => known.filter(({ id }) => id !== artwork.id));
      say(`“${artwork.title}” is in the trash.`, { action: { label: "Undo", run: undo } });
    }, sayError);
  };
  return (
    <div
      className="pictures"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => !(event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget)) && setOver(false)}
      onDrop={onDrop}
    >
      <SiteBar />
      <main className="pictures__main">
        <div className="pictures__head">
          <h1>Artworks</h1>
          <div className="filters" role="search">
            <SearchField label="Search artworks" value={q} onSearch={setQ} />
            <Button look="primary" icon="upload" onClick={() => picker.current?.click()}>
              Upload
            </Button>
          </div>
          <input
            ref={picker}
            className="visually-hidden"
            type="file"
            accept="image/*"
            multiple
            aria-label="Choose pictures"
            tabIndex={-1}
            onChange={({ currentTarget }) => {
              send([...(currentTarget.files ?? [])]);
              currentTarget.value = "";
            }}
          />
        </div>
        <UploadList />
        {items === null && failure === null && <Loading label="Loading artworks" />}
        {items === null && failure !== null && (
          <div className="gallery__empty" role="alert">
            <h2>Your artworks could not be loaded</h2>
            <p>{failure.message}</p>
            <Button onClick={retry}>Try again</Button>
          </div>
        )}
        {items?.length === 0 && <NoArtworks isFiltered={q !== ""} />}
        {items !== null && items.length > 0 && (
          <VirtualGrid
            label="Artworks"
            items={items}
            idOf={idOf}
            nameOf={nameOf}
            isChosen={nobody}
            hasMore={hasMore && failure === null}
            onNearEnd={loadMore}
            onPick={({ id }) => setOpenId(id)}
            footer={<ListEnd count={items.length} hasMore={hasMore} failure={failure} onRetry={retry} />}
          >
            {(artwork) => (
              <>
                <TilePicture src={artwork.thumbnailUrl} blur={artwork.thumbnailBlur} />
                <span className="tile__text" aria-hidden="true">
                  {artwork.title}
                </span>
              </>
            )}
          </VirtualGrid>
        )}
      </main>
      {open && <ArtworkDetail key={open.id} artwork={open} onClose={() => setOpenId(null)} onChanged={putIn} onDelete={() => remove(open)} />}
      {isOver && <div className="gallery__drop">Drop pictures to add them</div>}
    </div>
  );
}

function NoArtworks({ isFiltered }: { isFiltered: boolean }) {
  return (
    <div className="gallery__empty">
      <h2>{isFiltered ? "No artwork like that" : "No artworks yet"}</h2>
      <p>{isFiltered ? "Try other words." : "Drop pictures anywhere on this page, or choose them from a folder."}</p>
    </div>
  );
}

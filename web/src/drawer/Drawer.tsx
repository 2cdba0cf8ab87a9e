import { useReactFlow } from "@xyflow/react";
import { useEffect, useRef, useState } from "react";
import type { Render } from "../client";
import { addCard } from "../editor/edits";
import { isTyping } from "../editor/shortcuts";
import { roomOnScreen, useFreeSpot } from "../editor/useFreeSpot";
import { cardOf } from "../gallery/cardOf";
import "../gallery/gallery.css";
import { SearchField } from "../gallery/SearchField";
import { useCanvas } from "../react";
import { Button } from "../ui/Button";
import { Loading } from "../ui/Loading";
import "./drawer.css";
import { DrawerTile } from "./DrawerTile";
import { closeDrawer } from "./panel";
import { sizeOfCard } from "./sizeOfCard";
import { usePictures } from "./usePictures";

/** One's own pictures beside the canvas, to be put onto it. */
export default function Drawer() {
  const canvas = useCanvas();
  const flow = useReactFlow();
  const freeOf = useFreeSpot();
  const [words, setWords] = useState("");
  const [news, setNews] = useState("");
  const panel = useRef<HTMLElement>(null);

  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  useEffect(() => {
    const onKeyDown = ({ key, target }: KeyboardEvent): void => {
      const isEmptied = target instanceof HTMLInputElement && target.value === "" && panel.current?.contains(target) === true;
      if (key === "Escape" && (isEmptied || !isTyping(target))) closeDrawer();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);

  /** Into the middle of what is in view; the focus stays here, for the next one. */
  const onAdd = (render: Render): void => {
    const size = sizeOfCard(render);
    const { left, top, right, bottom } = roomOnScreen();
    const middle = flow.screenToFlowPosition({ x: (left + right) / 2, y: (top + bottom) / 2 });
    const highest = flow.screenToFlowPosition({ x: left, y: top }).y;
    const wanted = { x: Math.round(middle.x - size.width / 2), y: Math.round(Math.max(highest, middle.y - size.height / 2)) };
    canvas.select([addCard(canvas, { ...cardOf(render), position: freeOf(wanted, size) })]);
    setNews(`On the canvas: ${render.origin.prompt || "a picture without a prompt"}`);
  };

  return (
    <aside ref={panel} className="drawer" aria-label="My renders" tabIndex={-1}>
      <header className="drawer__head">
        <h2>My renders</h2>
        <Button look="ghost" icon="close" aria-label="Close my renders" onClick={closeDrawer} />
      </header>
      <div className="drawer__search">
        <SearchField label="Search prompts" value={words} onSearch={setWords} />
        <p>Drag one onto the canvas, or press it.</p>
      </div>
      <Pictures words={words} onAdd={onAdd} />
      <div className="visually-hidden" role="status">
        {news}
      </div>
    </aside>
  );
}

function Pictures({ words, onAdd }: { words: string; onAdd: (render: Render) => void }) {
  const { items, failure, hasMore, loadMore, retry } = usePictures(words);
  return (
    <div className="drawer__body">
      {items !== null && items.length > 0 && (
        <ul className="drawer__grid" aria-label="Pictures">
          {items.map((render) => (
            <li key={render.id}>
              <DrawerTile render={render} onAdd={onAdd} />
            </li>
          ))}
        </ul>
      )}
      {items === null && failure === null && <Loading label="Loading pictures" />}
      {items?.length === 0 && <p className="drawer__note">{words === "" ? "No pictures yet. Every picture you generate on a canvas is kept here." : "No picture like that. Try other words."}</p>}
      {failure !== null && (
        <div className="drawer__note" role="alert">
          <p>{failure.message}</p>
          <Button onClick={retry}>Try again</Button>
        </div>
      )}
      {hasMore && failure === null && <Button onClick={loadMore}>Show older pictures</Button>}
    </div>
  );
}

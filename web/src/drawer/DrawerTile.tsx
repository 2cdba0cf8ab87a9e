import type { DragEvent, KeyboardEvent } from "react";
import type { Render } from "../client";
import { NODES, textOf } from "../editor/fragment";
import { cardOf } from "../gallery/cardOf";
import { smallUrl } from "../gallery/RenderTile";
import { TilePicture } from "../gallery/TilePicture";

/** A picture to be dragged onto the canvas, or pressed. Not a `button`: Firefox drags none. */
export function DrawerTile({ render, onAdd }: { render: Render; onAdd: (render: Render) => void }) {
  const name = render.origin.prompt || "No prompt";
  const onDragStart = ({ dataTransfer }: DragEvent): void => {
    dataTransfer.effectAllowed = "copy";
    dataTransfer.setData(NODES, textOf({ nodes: [{ id: render.id, position: { x: 0, y: 0 }, ...cardOf(render) }], edges: [] }));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (!event.repeat) onAdd(render);
  };
  return (
    <div className="drawer__tile" role="button" tabIndex={0} draggable aria-label={name} title={name} data-testid="drawer-tile" onClick={() => onAdd(render)} onKeyDown={onKeyDown} onDragStart={onDragStart}>
      <TilePicture src={smallUrl(render)} blur={render.variants.find(({ kind }) => kind === "thumbnail")?.blur} />
    </div>
  );
}

import type { Node, OnNodeDrag, SelectionDragHandler } from "@xyflow/react";
import { useCanvas } from "../react";
import { homesOf } from "./frames";

/** What is dragged over a frame goes into it, what is dragged out is free; the frame that would take it says so meanwhile. */
export function useFraming(): { onNodeDrag: OnNodeDrag; onSelectionDrag: SelectionDragHandler } {
  const canvas = useCanvas();
  const aim = (held: readonly Node[]): void => canvas.aim(homesOf(new Set(held.map(({ id }) => id)), canvas.store.getState().nodes));
  return {
    onNodeDrag: (_event, _node, held) => aim(held),
    onSelectionDrag: (_event, held) => aim(held),
  };
}

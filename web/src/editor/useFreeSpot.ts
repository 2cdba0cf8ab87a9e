import { useReactFlow } from "@xyflow/react";
import type { XY } from "../client";
import { useCanvas } from "../react";
import { CARD } from "./fragment";
import { FRAME } from "./frames";
import { freeSpot, roomBeside } from "./spot";

/** What of the screen is in view: the drawer hides a part of it. */
export function roomOnScreen(): ReturnType<typeof roomBeside> {
  const panel = document.querySelector(".drawer")?.getBoundingClientRect();
  return roomBeside({ width: window.innerWidth, height: window.innerHeight }, panel);
}

/** The place on the canvas, or the nearest one in view where a card of this size covers none. */
export function useFreeSpot(): (place: XY, size?: typeof CARD) => XY {
  const canvas = useCanvas();
  const flow = useReactFlow();
  return (place, size = CARD) => {
    const { left, top, right, bottom } = roomOnScreen();
    const from = flow.screenToFlowPosition({ x: left, y: top });
    const to = flow.screenToFlowPosition({ x: right, y: bottom });
    const nodes = canvas.store.getState().nodes.filter(({ type }) => type !== FRAME);
    const taken = nodes.flatMap(({ id }) => {
      const node = flow.getInternalNode(id);
      return node === undefined ? [] : { ...node.internals.positionAbsolute, width: node.measured.width ?? 0, height: node.measured.height ?? 0 };
    });
    const jitter = 24 * (nodes.length % 5); // where everything is full, several in a row can be told apart
    const view = { ...from, width: to.x - from.x, height: to.y - from.y };
    return freeSpot({ ...place, ...size }, taken, view) ?? { x: place.x + jitter, y: place.y + jitter };
  };
}

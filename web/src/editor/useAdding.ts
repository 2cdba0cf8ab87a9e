import { useReactFlow, type Handle, type OnConnectEnd } from "@xyflow/react";
import { useState, type MouseEvent } from "react";
import type { XY } from "../client";
import type { Kind } from "../nodes/kinds";
import { useCanvas, type Wire } from "../react";
import { say } from "../ui/toasts";
import { addCard, selectedIds } from "./edits";
import { CARD } from "./fragment";
import { useFreeSpot } from "./useFreeSpot";
import { cardAt, useWiring } from "./useWiring";
import { writeIn } from "./writing";

/** Where something is to be put, on the screen, and the wire that was let go there. */
interface Adding {
  at: XY;
  wire?: Wire;
}

const PICTURE_HEIGHT = 280;
const GROUND = ".react-flow__pane, .react-flow__node-group > .group"; // a frame's, too
const GAP = 80; // for the wire between two cards

export function middleOfScreen(): XY {
  return { x: window.innerWidth / 2, y: window.innerHeight / 2 };
}

/** All the ways in which a single new node comes onto the canvas. */
export function useAdding(mayEdit: boolean, pointer: () => XY) {
  const canvas = useCanvas();
  const flow = useReactFlow();
  const { draw } = useWiring();
  const freeOf = useFreeSpot();
  const [adding, setAdding] = useState<Adding | null>(null);

  const spotFor = (screen: XY): XY => {
    const { x, y } = flow.screenToFlowPosition(screen);
    return { x: Math.round(x - CARD.width / 2), y: Math.round(y - CARD.height / 2) };
  };
  /** Whoever adds a card goes on with its words. */
  const begin = (id: string): void => {
    canvas.select([id]);
    writeIn(id);
  };
  const addInMiddle = (): void => {
    // The card grows downwards when its picture comes: leave it room above the toolbar.
    const room = (PICTURE_HEIGHT * flow.getZoom()) / 2;
    const { x, y } = middleOfScreen();
    const position = freeOf(spotFor({ x, y: y - room }));
    begin(addCard(canvas, { type: "image_generation", position, data: { prompt: "" } }));
  };
  const addUpload = (): void => {
    canvas.select([addCard(canvas, { type: "image_upload", position: freeOf(spotFor(middleOfScreen())), data: {} })]);
  };
  const add = ({ type, record }: Kind): void => {
    if (adding === null) return;
    const { x, y } = flow.screenToFlowPosition(adding.at);
    const left = adding.wire === undefined ? CARD.width / 2 : adding.wire.end === "target" ? CARD.width : 0;
    const position = { x: Math.round(x - left), y: Math.round(y - CARD.height / 2) };
    setAdding(null);
    begin(addCard(canvas, { ...record, type, position }, adding.wire));
  };

  const onDoubleClick = (event: MouseEvent): void => {
    const isGround = event.target instanceof Element && event.target.matches(GROUND);
    if (mayEdit && isGround) setAdding({ at: { x: event.clientX, y: event.clientY } });
  };
  /** A wire may be let go anywhere on a card. */
  const wireTo = (other: string, { nodeId, id, type }: Handle): void => {
    if (other === nodeId) return;
    if (type === "source") draw(nodeId, other, { sourceHandle: id ?? null });
    else draw(other, nodeId, { targetHandle: id ?? null });
  };
  const onConnectEnd: OnConnectEnd = (event, { isValid, toNode, fromHandle }) => {
    if (!mayEdit || isValid === true || fromHandle === null) return;
    const { clientX, clientY } = "changedTouches" in event ? (event.changedTouches[0] ?? { clientX: 0, clientY: 0 }) : event;
    const other = toNode?.id ?? cardAt({ x: clientX, y: clientY });
    if (other !== undefined) return wireTo(other, fromHandle);
    const wire = { nodeId: fromHandle.nodeId, handleId: fromHandle.id, end: fromHandle.type };
    setAdding({ at: { x: clientX, y: clientY }, wire });
  };

  /** The selected nodes in a row, from left to right; out of a single one to something new. */
  const wireSelected = (): void => {
    const boxes = selectedIds(canvas).flatMap((id) => flow.getInternalNode(id) ?? []);
    const row = boxes.sort((a, b) => a.internals.positionAbsolute.x - b.internals.positionAbsolute.x);
    const [only] = row;
    if (only === undefined) return say("Select one node to wire something new to it, or several to wire them in a row.");
    if (row.length === 1) {
      const { x, y } = only.internals.positionAbsolute;
      const { width = CARD.width, height = CARD.height } = only.measured;
      return setAdding({ at: flow.flowToScreenPosition({ x: x + width + GAP, y: y + height / 2 }), wire: { nodeId: only.id, end: "source" } });
    }
    row.slice(1).forEach((node, index) => {
      const source = row[index];
      if (source !== undefined) draw(source.id, node.id);
    });
  };

  return {
    adding,
    close: () => setAdding(null),
    add,
    addInMiddle,
    addUpload,
    lookForNode: () => setAdding({ at: pointer() }),
    onDoubleClick,
    onConnectEnd,
    wireSelected,
  };
}

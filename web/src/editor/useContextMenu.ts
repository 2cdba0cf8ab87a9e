import { useEffect, useRef, useState, type MouseEvent, type PointerEvent } from "react";
import type { XY } from "../client";
import { useCanvas } from "../react";
import { isTyping } from "./shortcuts";

const LONG_MS = 500;
const STILL_PX = 10; // a finger is never quite still

/** A right click, the menu key, or a finger that stays where it is; what is below it is selected. */
export function useContextMenu() {
  const canvas = useCanvas();
  const [at, setAt] = useState<XY | null>(null);
  const press = useRef<{ timer: ReturnType<typeof setTimeout>; from: XY } | null>(null);

  const letGo = (): void => {
    if (press.current !== null) clearTimeout(press.current.timer);
    press.current = null;
  };
  useEffect(() => letGo, []);

  const openAt = (target: EventTarget, place: XY): void => {
    const piece = target instanceof Element ? target.closest<HTMLElement>(".react-flow__node, .react-flow__edge") : null;
    const id = piece?.dataset.id;
    const { nodes, edges } = canvas.store.getState();
    const isNode = piece?.classList.contains("react-flow__node") === true;
    const known = (isNode ? nodes : edges).find((item) => item.id === id);
    const isSelectionBox = target instanceof Element && target.closest(".react-flow__nodesselection") !== null;
    if (known?.selected !== true && !isSelectionBox) {
      canvas.select(isNode && known ? [known.id] : []);
      canvas.onEdgesChange(edges.map((edge) => ({ type: "select", id: edge.id, selected: !isNode && edge.id === known?.id })));
    }
    setAt(place);
  };
  const onContextMenu = (event: MouseEvent): void => {
    if (isTyping(event.target)) return;
    event.preventDefault();
    letGo();
    openAt(event.target, { x: event.clientX, y: event.clientY });
  };
  const onPointerDown = (event: PointerEvent): void => {
    letGo();
    const { target, pointerType, isPrimary, clientX: x, clientY: y } = event;
    if (pointerType !== "touch" || !isPrimary || isTyping(target)) return;
    const open = (): void => {
      press.current = null;
      window.addEventListener("touchend", (end) => end.preventDefault(), { once: true, capture: true, passive: false }); // no click on what comes up below the finger
      openAt(target, { x, y });
    };
    press.current = { timer: setTimeout(open, LONG_MS), from: { x, y } };
  };
  const onMove = ({ clientX, clientY }: PointerEvent): void => {
    const from = press.current?.from;
    if (from && Math.hypot(clientX - from.x, clientY - from.y) > STILL_PX) letGo();
  };
  return { at, close: () => setAt(null), onMove, handlers: { onContextMenu, onPointerDown, onPointerUp: letGo, onPointerCancel: letGo } };
}

import { useReactFlow, type Connection, type Edge } from "@xyflow/react";
import type { XY } from "../client";
import { ourType } from "../nodes/ours";
import { refusal } from "../nodes/ports";
import { useCanvas } from "../react";
import { say } from "../ui/toasts";

const FRAME = ".react-flow__node-group, .parent"; // what is let go in a frame is let go on the ground there

/** The card below a place on the screen. */
export function cardAt({ x, y }: XY): string | undefined {
  const element = document.elementsFromPoint(x, y).find((each) => each.classList.contains("react-flow__node") && !each.matches(FRAME));
  return element instanceof HTMLElement ? element.dataset.id : undefined;
}

/** Which wires there may be, and drawing those that were asked for in another way than from port to port. */
export function useWiring() {
  const canvas = useCanvas();
  const flow = useReactFlow();

  const refusalBetween = (source: string, target: string): string | null =>
    refusal({ id: source, type: ourType(flow.getNode(source)) }, { id: target, type: ourType(flow.getNode(target)) });

  const isValid = ({ source, target }: Connection | Edge): boolean => refusalBetween(source, target) === null;

  /** Says why, when there can be no such wire. */
  const draw = (source: string, target: string, handles: Partial<Pick<Connection, "sourceHandle" | "targetHandle">> = {}): void => {
    const reason = refusalBetween(source, target);
    if (reason !== null) say(reason, { tone: "bad" });
    else canvas.onConnect({ source, target, sourceHandle: null, targetHandle: null, ...handles });
  };
  return { isValid, draw, refusalBetween };
}

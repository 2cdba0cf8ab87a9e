import { useConnection, useReactFlow } from "@xyflow/react";
import { createPortal } from "react-dom";
import { cardAt, useWiring } from "./useWiring";

const ASIDE = 18; // not below the pointer

/** Beside the pointer that draws a wire: why it cannot end where it is. */
export function WireRefusal() {
  const connection = useConnection();
  const { refusalBetween } = useWiring();
  const flow = useReactFlow();
  if (!connection.inProgress) return null;
  const { fromNode, fromHandle, toNode, to } = connection;
  const at = flow.flowToScreenPosition(to);
  const other = toNode?.id ?? cardAt(at);
  if (other === undefined || (other === fromNode.id && toNode === null)) return null; // it has only just come out
  const reason = fromHandle.type === "source" ? refusalBetween(fromNode.id, other) : refusalBetween(other, fromNode.id);
  if (reason === null) return null;
  return createPortal(
    <p className="refusal" role="status" style={{ left: Math.min(at.x + ASIDE, window.innerWidth - 300), top: at.y + ASIDE }}>
      {reason}
    </p>,
    document.body,
  );
}

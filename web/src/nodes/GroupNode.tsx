import { NodeResizer, type Node, type NodeProps } from "@xyflow/react";
import { memo } from "react";
import { useCanvasState, useMayEdit } from "../react";
import { Ports } from "./Ports";
import { sameCard } from "./sameCard";

export const GroupNode = memo(function GroupNode({ id, data, selected }: NodeProps<Node>) {
  const mayEdit = useMayEdit();
  const isTaking = useCanvasState(({ homes }) => [...homes.values()].includes(id)); // what is held over it
  const label = typeof data.label === "string" ? data.label : "Group";
  return (
    <section className={`group${selected ? " group--selected" : ""}${isTaking ? " group--taking" : ""}`} aria-label={label}>
      <NodeResizer isVisible={mayEdit && selected} minWidth={120} minHeight={80} />
      <span className="group__label">{label}</span>
      <Ports nodeId={id} />
    </section>
  );
}, sameCard);

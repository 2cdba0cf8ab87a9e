import { NodeToolbar, Position } from "@xyflow/react";
import { useCanvasState } from "../react";
import { Button } from "../ui/Button";
import type { IconName } from "../ui/Icon";
import type { Alignment } from "./arrange";
import { keysFor, type Act } from "./shortcuts";

const ALIGNMENTS: readonly { alignment: Alignment; icon: IconName; label: string; least: number }[] = [
  { alignment: "left", icon: "align-left", label: "Align left edges", least: 2 },
  { alignment: "center", icon: "align-center", label: "Align centres", least: 2 },
  { alignment: "right", icon: "align-right", label: "Align right edges", least: 2 },
  { alignment: "top", icon: "align-top", label: "Align top edges", least: 2 },
  { alignment: "middle", icon: "align-middle", label: "Align middles", least: 2 },
  { alignment: "bottom", icon: "align-bottom", label: "Align bottom edges", least: 2 },
  { alignment: "across", icon: "spread-across", label: "Same gaps from left to right", least: 3 },
  { alignment: "down", icon: "spread-down", label: "Same gaps from top to bottom", least: 3 },
];

/** Above what is selected, as soon as there are several to arrange. */
export function SelectionTools({ acts }: { acts: Readonly<Record<Act, () => void>> }) {
  const chosen = useCanvasState(({ nodes }) => nodes.flatMap((node) => (node.selected ? node.id : [])).join("\n"));
  const isMoving = useCanvasState(({ nodes }) => nodes.some((node) => node.dragging));
  const ids = chosen.split("\n");
  if (ids.length < 2 || isMoving) return null;
  return (
    <NodeToolbar nodeId={ids} isVisible position={Position.Top} offset={14} className="arranging" role="toolbar" aria-label={`${ids.length} nodes`}>
      {ALIGNMENTS.filter(({ least }) => ids.length >= least).map(({ alignment, icon, label }) => (
        <Button key={alignment} look="ghost" icon={icon} aria-label={label} title={`${label} (${keysFor(`align-${alignment}`)})`} onClick={acts[`align-${alignment}`]} />
      ))}
      <span className="arranging__line" />
      <Button look="ghost" icon="group" aria-label="Put into a group" title={`Put into a group (${keysFor("group")})`} onClick={acts.group} />
      <Button look="ghost" icon="copy" aria-label="Duplicate" title={`Duplicate (${keysFor("duplicate")})`} onClick={acts.duplicate} />
    </NodeToolbar>
  );
}

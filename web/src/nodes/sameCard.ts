import type { Node, NodeProps } from "@xyflow/react";

/** React Flow tells a card where it stands, sixty times a second in a drag; what is on it does not depend on that. */
export function sameCard(before: NodeProps<Node>, after: NodeProps<Node>): boolean {
  return before.id === after.id && before.type === after.type && before.data === after.data && before.selected === after.selected;
}

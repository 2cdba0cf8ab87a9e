import type { Node } from "@xyflow/react";

const known = new WeakMap<Node, Node>();

/** Our cards are held anywhere: what another product's card is held by is not on them, and nobody could move it. */
export function grabbable(nodes: Node[]): Node[] {
  if (nodes.every((node) => node.dragHandle === undefined)) return nodes;
  return nodes.map((node) => {
    if (node.dragHandle === undefined) return node;
    const free = known.get(node) ?? { ...node, dragHandle: undefined };
    known.set(node, free);
    return free;
  });
}

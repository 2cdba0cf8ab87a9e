import type { Node } from "@xyflow/react";
import { FRAME } from "./frames";

const DEPTH = 100; // React Flow draws what is in a frame one above it: more frames than this are never in one another

const known = new WeakMap<Node, Node>();

/** Frames lie behind the cards: one that was drawn later would veil a card that is held, or left, over it. */
export function behind(nodes: Node[]): Node[] {
  const isLoose = (node: Node): boolean => node.type === FRAME && node.zIndex === undefined;
  if (!nodes.some(isLoose)) return nodes;
  return nodes.map((node) => {
    if (!isLoose(node)) return node;
    const low = known.get(node) ?? { ...node, zIndex: -DEPTH };
    known.set(node, low);
    return low;
  });
}

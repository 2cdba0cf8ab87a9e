/** Which frame takes a node that is let go. Frames are our groups: what holds the nodes of another product is not known here. */
import type { Node } from "@xyflow/react";
import { originOf, type Homes } from "../react";
import type { Box } from "./arrange";

export const FRAME = "group";

/** Only those of the `held` that change their parent; what is inside of them moves along. */
export function homesOf(held: ReadonlySet<string>, nodes: readonly Node[]): Homes {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const boxOf = (node: Node): Box => {
    const { x, y } = originOf(node.parentId, byId);
    const { width = 0, height = 0 } = node.measured ?? {};
    return { id: node.id, x: x + node.position.x, y: y + node.position.y, width, height };
  };
  const depthOf = ({ parentId }: Node): number => {
    const parent = byId.get(parentId ?? "");
    return parent === undefined ? 0 : 1 + depthOf(parent);
  };
  const isHeld = (node: Node | undefined): boolean => node !== undefined && (held.has(node.id) || isHeld(byId.get(node.parentId ?? "")));

  // As they are drawn: the innermost last, and of two that overlap the upper one.
  const frames = nodes.filter((node) => node.type === FRAME && node.hidden !== true && !isHeld(node)).sort((a, b) => depthOf(a) - depthOf(b));
  const places = frames.map(boxOf);
  const homes = new Map<string, string | null>();
  for (const node of nodes) {
    const parent = byId.get(node.parentId ?? "");
    const isBound = node.extent === "parent" || (parent !== undefined && parent.type !== FRAME);
    if (!held.has(node.id) || isBound || isHeld(parent)) continue;
    const box = boxOf(node);
    const home = places.findLast((frame) => isIn(box, frame) && (frame.id === parent?.id || fits(box, frame)))?.id ?? null;
    if (home !== (parent?.id ?? null)) homes.set(node.id, home);
  }
  return homes;
}

/** By its middle: what lies across an edge is where most of it is. */
function isIn(box: Box, frame: Box): boolean {
  const [x, y] = [box.x + box.width / 2 - frame.x, box.y + box.height / 2 - frame.y];
  return x >= 0 && y >= 0 && x <= frame.width && y <= frame.height;
}

function fits(box: Box, frame: Box): boolean {
  return box.width <= frame.width && box.height <= frame.height;
}

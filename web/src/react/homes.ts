import type { Node } from "@xyflow/react";
import type { XY } from "../client";

/** For nodes that are held: the parent that each gets when it is let go; null is the ground. Those that keep theirs are not named. */
export type Homes = ReadonlyMap<string, string | null>;

export const STAYING: Homes = new Map();

type Nodes = ReadonlyMap<string, Node>;

/** Where a parent's own coordinates start on the canvas. */
export function originOf(parentId: string | null | undefined, byId: Nodes): XY {
  const origin = { x: 0, y: 0 };
  for (let parent = byId.get(parentId ?? ""); parent !== undefined; parent = byId.get(parent.parentId ?? "")) {
    origin.x += parent.position.x;
    origin.y += parent.position.y;
  }
  return origin;
}

/** The parent that the node gets, and its place in there: on screen it stands where it stood. */
export function movedHome({ id, parentId, position }: Node, homes: Homes, byId: Nodes): Partial<Node> {
  const home = homes.get(id);
  if (home === undefined || (home !== null && !byId.has(home))) return {};
  const [from, to] = [originOf(parentId, byId), originOf(home, byId)];
  return { parentId: home ?? undefined, position: { x: position.x + from.x - to.x, y: position.y + from.y - to.y } };
}

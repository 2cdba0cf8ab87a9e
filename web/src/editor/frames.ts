/**
 * Which frame takes a node that is let go, or put onto the canvas. Frames are our groups: what holds the nodes of another product
 * is not known here.
 */
import type { Node } from "@xyflow/react";
import type { NodeRecord } from "../client";
import { originOf, type Homes } from "../react";
import type { Box } from "./arrange";
import { sizeOf } from "./fragment";

export const FRAME = "group";

/** Only those of the `held` that change their parent; what is inside of them moves along. */
export function homesOf(held: ReadonlySet<string>, nodes: readonly Node[]): Homes {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const isHeld = (node: Node | undefined): boolean => node !== undefined && (held.has(node.id) || isHeld(byId.get(node.parentId ?? "")));
  const frames = framesAmong(nodes, byId, isHeld);
  const homes = new Map<string, string | null>();
  for (const node of nodes) {
    const parent = byId.get(node.parentId ?? "");
    const isBound = node.extent === "parent" || (parent !== undefined && parent.type !== FRAME);
    if (!held.has(node.id) || isBound || isHeld(parent)) continue;
    const home = takerOf(boxOf(node, byId), frames, parent?.id)?.id ?? null;
    if (home !== (parent?.id ?? null)) homes.set(node.id, home);
  }
  return homes;
}

export type Coming = Partial<NodeRecord> & Pick<NodeRecord, "position">;

/** For nodes that come onto a canvas with these `nodes`: each is given the frame that takes it; those that have a parent keep it. */
export function housing(nodes: readonly Node[]): <T extends Coming>(coming: T) => T {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const frames = framesAmong(nodes, byId);
  return (coming) => {
    if (coming.parentId != null || coming.extent === "parent") return coming;
    const { x, y } = coming.position;
    const home = takerOf({ id: "", x, y, ...sizeOf(coming) }, frames);
    return home === undefined ? coming : { ...coming, parentId: home.id, position: { x: x - home.x, y: y - home.y } };
  };
}

type Nodes = ReadonlyMap<string, Node>;

function boxOf(node: Node, byId: Nodes): Box {
  const { x, y } = originOf(node.parentId, byId);
  const { width = 0, height = 0 } = node.measured ?? {};
  return { id: node.id, x: x + node.position.x, y: y + node.position.y, width, height };
}

/** As they are drawn: the innermost last, and of two that overlap the upper one. */
function framesAmong(nodes: readonly Node[], byId: Nodes, isHeld: (node: Node) => boolean = () => false): Box[] {
  const depthOf = ({ parentId }: Node): number => {
    const parent = byId.get(parentId ?? "");
    return parent === undefined ? 0 : 1 + depthOf(parent);
  };
  const frames = nodes.filter((node) => node.type === FRAME && node.hidden !== true && !isHeld(node));
  return frames.sort((a, b) => depthOf(a) - depthOf(b)).map((node) => boxOf(node, byId));
}

function takerOf(box: Box, frames: readonly Box[], parentId?: string): Box | undefined {
  return frames.findLast((frame) => isIn(box, frame) && (frame.id === parentId || fits(box, frame)));
}

/** By its middle: what lies across an edge is where most of it is. */
function isIn(box: Box, frame: Box): boolean {
  const [x, y] = [box.x + box.width / 2 - frame.x, box.y + box.height / 2 - frame.y];
  return x >= 0 && y >= 0 && x <= frame.width && y <= frame.height;
}

function fits(box: Box, frame: Box): boolean {
  return box.width <= frame.width && box.height <= frame.height;
}

/**
 * A canvas that is too large to be drawn whole: only what is in view becomes DOM. React Flow draws a node once to measure
 * it, in view or not, unless it is told a size and where its ports are: until a node comes into view, a guess will do.
 */
import { Position, type Edge, type Node } from "@xyflow/react";

const LARGE = 500; // cards a browser shows without a pause
const CARD = { width: 280, height: 330 };
const PORT = 12;

/** How far out one can go: with more in view than this, nothing can be read and everything is slow. The overview map shows the rest. */
export const FARTHEST = { usual: 0.05, large: 0.2 };

/**
 * The zoom from which on cards have icons, and fields that a finger can hit: further out icons are a smudge of five pixels and half of
 * the work of drawing, and a field is only in the way of whoever moves its card.
 */
export const READABLE_FROM = 0.3;

export function isLarge(nodes: readonly Node[]): boolean {
  return nodes.length > LARGE;
}

const sketches = new WeakMap<Node, Node>();

export function sketched(nodes: readonly Node[], edges: readonly Edge[]): Node[] {
  let ports: Map<string, Port[]> | undefined; // looked for when there is something to be drawn with them
  return nodes.map((node) => {
    if (node.measured?.width !== undefined || node.handles !== undefined) return node;
    const known = sketches.get(node);
    if (known !== undefined) return known;
    ports ??= namedPorts(edges);
    const sketch = sketchOf(node, ports.get(node.id) ?? []);
    sketches.set(node, sketch);
    return sketch;
  });
}

interface Port {
  id: string;
  type: "source" | "target";
}

function namedPorts(edges: readonly Edge[]): Map<string, Port[]> {
  const ports = new Map<string, Port[]>();
  const add = (node: string, id: string | null | undefined, type: Port["type"]): void => {
    if (id != null) ports.set(node, [...(ports.get(node) ?? []), { id, type }]);
  };
  for (const edge of edges) {
    add(edge.source, edge.sourceHandle, "source");
    add(edge.target, edge.targetHandle, "target");
  }
  return ports;
}

function sketchOf(node: Node, named: readonly Port[]): Node {
  const width = node.width ?? node.initialWidth ?? CARD.width;
  const height = node.height ?? node.initialHeight ?? CARD.height;
  const port = { width: PORT, height: PORT, y: (height - PORT) / 2 };
  const sides = {
    target: { ...port, type: "target" as const, position: Position.Left, x: -PORT / 2 },
    source: { ...port, type: "source" as const, position: Position.Right, x: width - PORT / 2 },
  };
  const handles = [sides.target, sides.source, ...named.map(({ id, type }) => ({ ...sides[type], id }))];
  // Half a pixel more than can be true: when the card is drawn, React Flow sees that it was wrong and looks at the ports, too.
  return { ...node, measured: { width, height: height + 0.5 }, handles };
}

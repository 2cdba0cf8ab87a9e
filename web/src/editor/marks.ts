/** What the others have selected or are holding, in their colour: marked on the nodes themselves, it moves as they do. */
import type { Node } from "@xyflow/react";
import type { Peers, User } from "../client";

/** Who has a node, by its id. */
export type Marks = ReadonlyMap<string, User>;

export function marksOf(peers: Peers): Marks {
  const marks = new Map<string, User>();
  for (const { user, selection = [], drag = {} } of Object.values(peers)) {
    if (user !== undefined) for (const id of [...selection, ...Object.keys(drag)]) marks.set(id, user);
  }
  return marks;
}

const known = new WeakMap<Node, { user: User; marked: Node }>();

export function marked(nodes: Node[], marks: Marks): Node[] {
  if (marks.size === 0) return nodes;
  return nodes.map((node) => {
    const user = marks.get(node.id);
    if (user === undefined) return node;
    const last = known.get(node);
    if (last?.user === user) return last.marked;
    const marked = withMark(node, user);
    known.set(node, { user, marked });
    return marked;
  });
}

function withMark(node: Node, { name, color }: User): Node {
  const className = [node.className, "peers"].filter(Boolean).join(" ");
  const style = { ...node.style, "--peer": color } as Node["style"];
  return { ...node, className, style, domAttributes: { ...node.domAttributes, "data-peer": name } as Node["domAttributes"] };
}

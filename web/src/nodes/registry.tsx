import type { Node, NodeProps, NodeTypes } from "@xyflow/react";
import { memo, type ComponentType } from "react";
import { GenericNode } from "./GenericNode";
import { GroupNode } from "./GroupNode";
import { ImageNode } from "./ImageNode";
import { OutputNode } from "./OutputNode";
import { isOurs } from "./ours";
import { sameCard } from "./sameCard";
import { NoteNode, PromptNode } from "./TextNode";
import { UploadNode } from "./UploadNode";

/** The card of a type of ours. What only has the same name is shown as what it is, and nothing here writes into it. */
function ours(Card: ComponentType<NodeProps<Node>>): ComponentType<NodeProps<Node>> {
  return memo(function OurNode(props: NodeProps<Node>) {
    return isOurs(props) ? <Card {...props} /> : <GenericNode {...props} />;
  }, sameCard);
}

const KNOWN: NodeTypes = {
  image_generation: ours(ImageNode),
  image_upload: ours(UploadNode),
  prompt: ours(PromptNode),
  note: ours(NoteNode),
  image_output: ours(OutputNode),
  group: GroupNode, // React Flow's own: a frame is a frame, whoever put it there, and its data are only read
};

/** A card for each type in the document; React Flow's own `default`, `input` and `output` get ours too. */
export function nodeTypesFor(types: Iterable<string>): NodeTypes {
  const generic = Object.fromEntries(["default", "input", "output", ...types].map((type) => [type, GenericNode]));
  return { ...generic, ...KNOWN };
}

import type { NodeTypes } from "@xyflow/react";
import { GenericNode } from "./GenericNode";
import { GroupNode } from "./GroupNode";
import { ImageNode } from "./ImageNode";
import { OutputNode } from "./OutputNode";
import { NoteNode, PromptNode } from "./TextNode";
import { UploadNode } from "./UploadNode";

const KNOWN: NodeTypes = { image_generation: ImageNode, image_upload: UploadNode, prompt: PromptNode, note: NoteNode, group: GroupNode, image_output: OutputNode };

/** A card for each type in the document; React Flow's own `default`, `input` and `output` get ours too. */
export function nodeTypesFor(types: Iterable<string>): NodeTypes {
  const generic = Object.fromEntries(["default", "input", "output", ...types].map((type) => [type, GenericNode]));
  return { ...generic, ...KNOWN };
}

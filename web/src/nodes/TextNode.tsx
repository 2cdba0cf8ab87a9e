import type { Node, NodeProps } from "@xyflow/react";
import { memo } from "react";
import { useMayEdit } from "../react";
import type { IconName } from "../ui/Icon";
import { NodeFrame } from "./NodeFrame";
import { PromptField } from "./PromptField";
import { sameCard } from "./sameCard";
import { useTextDraft } from "./useTextDraft";

interface TextCard {
  title: string;
  icon: IconName;
  /** Where in `data` the text is. */
  field: string;
  hints: readonly [string, string];
}

function textNode({ title, icon, field, hints }: TextCard) {
  return memo(function TextNode({ id, type, data, selected }: NodeProps<Node>) {
    const mayEdit = useMayEdit();
    const stored = data[field];
    const draft = useTextDraft(id, `/data/${field}`, typeof stored === "string" ? stored : "");
    return (
      <NodeFrame nodeId={id} title={title} icon={icon} isSelected={selected} testId={`${type}-node`}>
        <PromptField nodeId={id} draft={draft} readOnly={!mayEdit} label={title} hints={hints} />
      </NodeFrame>
    );
  }, sameCard);
}

/** Words for every image node that it is wired to. */
export const PromptNode = textNode({
  title: "Prompt",
  icon: "pencil",
  field: "prompt",
  hints: ["Words for every image this is wired to…", "No words yet"],
});

/** A remark for people; no picture is made of it. */
export const NoteNode = textNode({
  title: "Note",
  icon: "note",
  field: "text",
  hints: ["A remark for everybody here…", "An empty note"],
});

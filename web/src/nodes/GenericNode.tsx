import type { Node, NodeProps } from "@xyflow/react";
import { memo } from "react";
import { NodeFrame } from "./NodeFrame";
import { readPicture } from "./picture";
import { PictureView } from "./PictureView";
import { sameCard } from "./sameCard";

const SHOWN_FIELDS = 4;
const TITLES = ["label", "title", "name"];
const HIDDEN = new Set([...TITLES, "imageUrl", "thumbnailUrl", "jobId", "updatedAt"]);

/** Any node whose type this page has no own card for: its name, its type and its first plain values. */
export const GenericNode = memo(function GenericNode({ id, type, data, selected }: NodeProps<Node>) {
  const title = TITLES.map((key) => data[key]).find((value) => typeof value === "string" && value !== "");
  const fields = Object.entries(data).filter(([key, value]) => !HIDDEN.has(key) && isPlain(value));
  const kind = humanName(type);
  return (
    <NodeFrame nodeId={id} title={typeof title === "string" ? title : kind} icon="box" isSelected={selected} badge={<span className="card__kind">{kind}</span>}>
      <PictureView nodeId={id} picture={readPicture(data)} />
      {fields.length > 0 && (
        <dl className="fields">
          {fields.slice(0, SHOWN_FIELDS).map(([key, value]) => (
            <div key={key}>
              <dt>{humanName(key)}</dt>
              <dd>{String(value)}</dd>
            </div>
          ))}
        </dl>
      )}
    </NodeFrame>
  );
}, sameCard);

function isPlain(value: unknown): boolean {
  return (typeof value === "string" && value !== "") || typeof value === "number" || typeof value === "boolean";
}

/** `upscale_model` and `upscaleModel` both read “Upscale model”. */
function humanName(key: string): string {
  const words = key.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/[_-]+/g, " ").trim().toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

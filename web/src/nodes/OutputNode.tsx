import { useNodeConnections, useNodesData, type Node, type NodeProps } from "@xyflow/react";
import { memo } from "react";
import { openLightbox } from "../editor/lightbox";
import { NodeFrame } from "./NodeFrame";
import { isLive, readPicture, type Picture } from "./picture";
import { sameCard } from "./sameCard";

/** Where pictures end up: it shows what the nodes have made that are wired into it, side by side. */
export const OutputNode = memo(function OutputNode({ id, data, selected }: NodeProps<Node>) {
  const wires = useNodeConnections({ id, handleType: "target" });
  const sources = useNodesData([...new Set(wires.map((wire) => wire.source))]);
  const results = sources.map((source) => ({ nodeId: source.id, picture: readPicture(source.data) }));
  const done = results.filter(({ picture }) => picture.imageUrl !== null);
  const title = typeof data.label === "string" && data.label !== "" ? data.label : "Output";
  return (
    <NodeFrame nodeId={id} title={title} icon="result" isSelected={selected} testId="output-node" badge={<span className="card__kind">{countOf(done.length, results.length)}</span>}>
      {results.length === 0 ? (
        <p className="card__empty">Wire pictures in, and they are shown here side by side.</p>
      ) : (
        <div className="results">
          {results.map(({ nodeId, picture }) => (
            <Result key={nodeId} nodeId={nodeId} picture={picture} />
          ))}
        </div>
      )}
    </NodeFrame>
  );
}, sameCard);

function countOf(done: number, all: number): string {
  if (all === 0) return "";
  return done === all ? `${all} ${all === 1 ? "picture" : "pictures"}` : `${done} of ${all}`;
}

function Result({ nodeId, picture }: { nodeId: string; picture: Picture }) {
  const url = picture.thumbnailUrl ?? picture.imageUrl;
  if (picture.imageUrl === null || url === null) return <span className="results__item results__wait">{waitOf(picture)}</span>;
  const words = picture.prompt || "no prompt";
  return (
    <button type="button" className="results__item nodrag" aria-label={`Open picture: ${words}`} title={picture.prompt} onClick={() => openLightbox(nodeId)}>
      <img src={url} alt="" draggable={false} decoding="async" data-testid="result" />
    </button>
  );
}

function waitOf({ status }: Picture): string {
  if (isLive(status)) return "Being drawn…";
  return status === "error" ? "Failed" : "No picture yet";
}

import type { Node, NodeProps } from "@xyflow/react";
import { memo, useRef, type DragEvent } from "react";
import { useWorkflowId } from "../editor/workflowId";
import { useCanvas, useMayEdit } from "../react";
import { Button } from "../ui/Button";
import { titleOf } from "../upload/upload";
import { UploadProgress } from "../upload/UploadProgress";
import { startUpload, useUploads } from "../upload/uploads";
import { NodeFrame } from "./NodeFrame";
import { readPicture } from "./picture";
import { PictureView } from "./PictureView";
import { RunFailure } from "./RunFailure";
import { sameCard } from "./sameCard";

function nameOf({ title }: Record<string, unknown>): string {
  return typeof title === "string" && title !== "" ? title : "Upload";
}

export const UploadNode = memo(function UploadNode({ id, data, selected }: NodeProps<Node>) {
  const canvas = useCanvas();
  const workflowId = useWorkflowId();
  const mayEdit = useMayEdit();
  const upload = useUploads((state) => state.uploads[id]);
  const picker = useRef<HTMLInputElement>(null);
  const picture = readPicture(data);
  const title = nameOf(data);
  const isSending = upload !== undefined && upload.failure === null;

  const send = (file: File): void => {
    void canvas.setNode(id, { "/data/title": titleOf(file) });
    startUpload({ id, file, place: { workflowId, nodeId: id }, after: canvas.room.settled() });
  };
  const onDrop = (event: DragEvent): void => {
    const file = event.dataTransfer.files[0];
    if (!mayEdit || isSending || file === undefined || event.dataTransfer.files.length > 1) return; // several: the canvas takes them
    event.preventDefault();
    event.stopPropagation();
    send(file);
  };
  return (
    <div onDrop={onDrop}>
      <NodeFrame nodeId={id} title={title} icon="upload" isSelected={selected} tone={isSending ? "live" : upload ? "bad" : undefined} testId="upload-node">
        <PictureView nodeId={id} picture={{ ...picture, prompt: picture.prompt || title }} />
        {isSending && <UploadProgress upload={upload} />}
        {upload && upload.failure !== null && <RunFailure text={upload.failure} onRetry={() => send(upload.file)} />}
        {mayEdit && !isSending && (
          <footer className="card__foot card__foot--upload">
            <Button className="nodrag" icon="upload" onClick={() => picker.current?.click()}>
              {picture.imageUrl === null ? "Choose a picture" : "Replace"}
            </Button>
            <input
              ref={picker}
              className="visually-hidden"
              type="file"
              accept="image/*"
              aria-label="Choose a picture"
              tabIndex={-1}
              onChange={({ currentTarget }) => {
                const file = currentTarget.files?.[0];
                currentTarget.value = "";
                if (file) send(file);
              }}
            />
          </footer>
        )}
        {!mayEdit && picture.imageUrl === null && <p className="card__empty">No picture yet</p>}
      </NodeFrame>
    </div>
  );
}, sameCard);

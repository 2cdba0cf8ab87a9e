import type { Node, NodeProps } from "@xyflow/react";
import { memo } from "react";
import { useCanvasState, useMayEdit, useMayRun, useRun } from "../react";
import { useWorkflowId } from "../editor/workflowId";
import { Button } from "../ui/Button";
import { ImageSettings } from "./ImageSettings";
import { NodeFrame } from "./NodeFrame";
import { isLive, readPicture, type Picture } from "./picture";
import { PictureOutcome } from "./PictureOutcome";
import { PromptField } from "./PromptField";
import { RunFailure } from "./RunFailure";
import { RunProgress } from "./RunProgress";
import { useImageRun } from "./useImageRun";
import { sameCard } from "./sameCard";
import { useTextDraft } from "./useTextDraft";
import { useWiredWords } from "./useWiredWords";

function toneOf({ status }: Picture): "live" | "good" | "bad" | undefined {
  if (isLive(status)) return "live";
  if (status === "error") return "bad";
  return undefined;
}

export const ImageNode = memo(function ImageNode({ id, data, selected }: NodeProps<Node>) {
  const workflowId = useWorkflowId();
  const mayEdit = useMayEdit();
  const mayRun = useMayRun();
  const isConnected = useCanvasState((state) => state.room.connection === "live");
  const picture = readPicture(data);
  const news = useRun(id);
  const run = news?.jobId === picture.jobId ? news : undefined;
  const prompt = useTextDraft(id, "/data/prompt", picture.prompt);
  const wired = useWiredWords(id);
  const { isBusy, failure, generate, cancel, retry } = useImageRun(workflowId, id, picture, () => [...wired, prompt.flush().trim()].filter(Boolean).join(", "));
  const isDrawing = isLive(picture.status);
  const isBlank = prompt.text.trim() === "" && wired.length === 0;
  const mayGenerate = [mayRun, isConnected, !isBusy, !isDrawing, !isBlank].every(Boolean);

  return (
    <NodeFrame nodeId={id} title="Image" icon="image" isSelected={selected} tone={toneOf(picture)} testId="image-node">
      {isDrawing ? (
        <RunProgress picture={picture} run={run} onCancel={mayRun ? cancel : undefined} isBusy={isBusy} />
      ) : (
        <PictureOutcome nodeId={id} picture={picture} onRetry={mayRun ? retry : undefined} isBusy={isBusy} />
      )}
      {failure !== null && <RunFailure text={failure} />}
      {wired.length > 0 && (
        <p className="wired" title={wired.join("\n")}>
          With <span>{wired.join(", ")}</span>
        </p>
      )}
      <PromptField nodeId={id} draft={prompt} readOnly={!mayEdit} onSubmit={mayGenerate ? generate : undefined} />
      {mayEdit && (
        <footer className="card__foot">
          <ImageSettings nodeId={id} picture={picture} />
          {mayRun ? (
            <Button
              look="primary"
              className="nodrag"
              data-testid="generate"
              disabled={!mayGenerate}
              title={isBlank ? "Write a prompt first" : "Ctrl + Enter"}
              onClick={generate}
            >
              Generate
            </Button>
          ) : (
            <span className="card__note" title="The owner of this canvas decides who may. Ask them.">
              Edit only
            </span>
          )}
        </footer>
      )}
    </NodeFrame>
  );
}, sameCard);

import type { Node, NodeProps } from "@xyflow/react";
import { memo } from "react";
import { useCanvasState, useMayEdit, useMayRun, useRun } from "../react";
import { useWorkflowId } from "../editor/workflowId";
import { askingOtherwise } from "./madeWith";
import { GenerateFoot } from "./GenerateFoot";
import { ImageSettings } from "./ImageSettings";
import { NodeFrame } from "./NodeFrame";
import { modelOf, priceOf, specOf } from "./offer";
import { isLive, readPicture, readResults, type Picture } from "./picture";
import { PictureOutcome } from "./PictureOutcome";
import { PromptField } from "./PromptField";
import { RunFailure } from "./RunFailure";
import { RunProgress } from "./RunProgress";
import { useImageRun } from "./useImageRun";
import { sameCard } from "./sameCard";
import { useTextDraft } from "./useTextDraft";
import { WiredIn } from "./WiredIn";
import { useProviders } from "./useProviders";
import { useWired } from "./useWired";

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
  const { words: wired, pictureUrl } = useWired(id);
  const model = modelOf(useProviders().list, picture);
  const { isBusy, failure, generate, change, cancel, retry } = useImageRun(workflowId, id, picture, (difference) => {
    const words = [...wired, prompt.flush().trim()].filter(Boolean).join(", ");
    if (difference === "") return specOf(picture, model, words, pictureUrl);
    const otherwise = askingOtherwise(data, words, difference);
    return specOf({ ...picture, seed: otherwise.seed }, model, otherwise.prompt, picture.imageUrl);
  });
  const isDrawing = isLive(picture.status);
  const isBlank = prompt.text.trim() === "" && wired.length === 0;
  const mayGenerate = [mayRun, isConnected, !isBusy, !isDrawing, !isBlank].every(Boolean);

  return (
    <NodeFrame nodeId={id} title="Image" icon="image" isSelected={selected} tone={toneOf(picture)} testId="image-node">
      {isDrawing ? (
        <RunProgress picture={picture} run={run} onCancel={mayRun ? cancel : undefined} isBusy={isBusy} />
      ) : (
        <PictureOutcome nodeId={id} picture={picture} results={readResults(data)} model={model} onRetry={mayRun ? retry : undefined} onChange={mayRun ? change : undefined} isBusy={isBusy} isConnected={isConnected} />
      )}
      {failure !== null && <RunFailure text={failure} />}
      <WiredIn words={wired} hasPicture={pictureUrl !== null} model={model} />
      <PromptField nodeId={id} draft={prompt} readOnly={!mayEdit} onSubmit={mayGenerate ? generate : undefined} />
      {mayEdit && <ImageSettings nodeId={id} picture={picture} model={model} />}
      {mayEdit && <GenerateFoot isReady={mayGenerate} isBlank={isBlank} mayRun={mayRun} price={priceOf(picture, model)} onGenerate={generate} />}
    </NodeFrame>
  );
}, sameCard);

import { useState } from "react";
import { newId } from "../client";
import { useCanvas } from "../react";
import { http } from "../session";
import type { Picture } from "./picture";

interface ImageRun {
  /** A request is on its way to the server. */
  isBusy: boolean;
  /** Why the last request was refused, in a sentence. */
  failure: string | null;
  generate: () => void;
  cancel: () => void;
  retry: () => void;
}

/** Starting, cancelling and retrying the picture of one node. */
export function useImageRun(workflowId: string, nodeId: string, picture: Picture, words: () => string): ImageRun {
  const { room } = useCanvas();
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);

  const ask = (request: () => Promise<unknown>): void => {
    setBusy(true);
    setFailure(null);
    request()
      .catch((reason: unknown) => setFailure(reason instanceof Error ? reason.message : String(reason)))
      .finally(() => setBusy(false));
  };
  const start = async (): Promise<unknown> => {
    const basePrompt = words();
    await room.settled(); // the server has to know the node, and the prompt that everyone sees, before it draws
    const { provider, model, size, seed } = picture;
    const promptSpec = { basePrompt, size, ...(seed !== null && { seed }) };
    return http.startRun({ nodeId, workflowId, provider, model, promptSpec }, newId());
  };
  const { jobId } = picture;
  return {
    isBusy,
    failure,
    generate: () => ask(start),
    cancel: () => jobId !== null && ask(() => http.cancelRun(jobId)),
    retry: () => ask(jobId === null ? start : () => http.retryRun(jobId)),
  };
}

import { useState } from "react";
import { newId, type PromptSpec } from "../client";
import { useCanvas } from "../react";
import { http } from "../session";
import type { Picture } from "./picture";

interface ImageRun {
  /** A request is on its way to the server. */
  isBusy: boolean;
  /** Why the last request was refused, in a sentence. */
  failure: string | null;
  generate: () => void;
  /** The picture that is there, but for this. */
  change: (difference: string) => void;
  cancel: () => void;
  retry: () => void;
}

/** Starting, cancelling and retrying the picture of one node. `promptSpec`: what is asked for, once everything typed is in it. */
export function useImageRun(workflowId: string, nodeId: string, picture: Picture, promptSpec: (difference: string) => PromptSpec): ImageRun {
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
  const start = async (difference = ""): Promise<unknown> => {
    const spec = promptSpec(difference);
    await room.settled(); // the server has to know the node, and the prompt that everyone sees, before it draws
    const { provider, model } = picture;
    return http.startRun({ nodeId, workflowId, provider, model, promptSpec: spec }, newId());
  };
  const { jobId } = picture;
  return {
    isBusy,
    failure,
    generate: () => ask(start),
    change: (difference) => ask(() => start(difference)),
    cancel: () => jobId !== null && ask(() => http.cancelRun(jobId)),
    retry: () => ask(jobId === null ? start : () => http.retryRun(jobId)),
  };
}

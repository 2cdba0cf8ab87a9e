import type { Picture } from "./picture";
import { PictureView } from "./PictureView";
import { RunFailure } from "./RunFailure";

interface PictureOutcomeProps {
  nodeId: string;
  picture: Picture;
  isBusy: boolean;
  onRetry?: (() => void) | undefined;
}

/** What there is to see when nothing is being drawn: the latest picture, and why a newer one failed. */
export function PictureOutcome({ nodeId, picture, isBusy, onRetry }: PictureOutcomeProps) {
  return (
    <>
      <PictureView nodeId={nodeId} picture={picture} />
      {picture.status === "error" && (
        <RunFailure text={picture.error ?? "The picture could not be made."} onRetry={onRetry} isBusy={isBusy} />
      )}
    </>
  );
}

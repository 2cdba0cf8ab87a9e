import { DifferenceField } from "./DifferenceField";
import type { Model } from "./offer";
import type { Picture, Result } from "./picture";
import { PictureView } from "./PictureView";
import { ResultStrip } from "./ResultStrip";
import { RunFailure } from "./RunFailure";

interface PictureOutcomeProps {
  nodeId: string;
  picture: Picture;
  results: readonly Result[];
  model: Model | undefined;
  isBusy: boolean;
  isConnected: boolean;
  onRetry?: (() => void) | undefined;
  /** The same again, but for this. */
  onChange?: ((difference: string) => void) | undefined;
}

/** What there is to see when nothing is being drawn: the latest picture, and why a newer one failed. */
export function PictureOutcome({ nodeId, picture, results, model, isBusy, isConnected, onRetry, onChange }: PictureOutcomeProps) {
  return (
    <>
      <PictureView nodeId={nodeId} picture={picture} />
      <ResultStrip nodeId={nodeId} results={results} />
      {picture.status === "error" && (
        <RunFailure text={picture.error ?? "The picture could not be made."} onRetry={onRetry} isBusy={isBusy} />
      )}
      {picture.imageUrl !== null && onChange && (
        <DifferenceField isReady={isConnected && !isBusy} startsFromPicture={model?.capabilities.previousImage === true} onSubmit={onChange} />
      )}
    </>
  );
}

import { openLightbox } from "../editor/lightbox";
import type { Result } from "./picture";

/** The pictures of a run that made several, side by side; a click shows one large, beside the others. */
export function ResultStrip({ nodeId, results }: { nodeId: string; results: readonly Result[] }) {
  if (results.length < 2) return null;
  return (
    <div className="strip" role="group" aria-label={`${results.length} pictures`} data-testid="strip">
      {results.map(({ imageUrl, thumbnailUrl }, place) => (
        <button key={imageUrl} type="button" className="strip__item nodrag" aria-label={`Open picture ${place + 1} of ${results.length}`} onClick={() => openLightbox(nodeId, imageUrl)}>
          <img src={thumbnailUrl} alt="" draggable={false} decoding="async" />
        </button>
      ))}
    </div>
  );
}

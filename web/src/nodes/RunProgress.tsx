import type { Run } from "../client";
import { Button } from "../ui/Button";
import { ratioOf, type Picture } from "./picture";
import { useElapsed } from "./useElapsed";

interface RunProgressProps {
  picture: Picture;
  run: Run | undefined;
  isBusy: boolean;
  onCancel?: (() => void) | undefined;
}

interface Words {
  text: string;
  title: string;
}

function waitingWords(run: Run | undefined): Words {
  if (run?.inLine) return { text: run.inLine.text, title: `${run.inLine.text}, as things stand: people take turns.` };
  const text = run?.message ?? "In line";
  return { text, title: text };
}

function drawingWords(run: Run | undefined): Words {
  const text = run?.message ?? "Drawing";
  return { text, title: text };
}

export function RunProgress({ picture, run, isBusy, onCancel }: RunProgressProps) {
  const seconds = useElapsed(picture.jobId, picture.updatedAt);
  const percent = Math.round(run?.progress ?? 0);
  const isWaiting = picture.status === "pending" && run?.status !== "running";
  const { text, title } = isWaiting ? waitingWords(run) : drawingWords(run);
  return (
    <section className="run" aria-label="Progress">
      <div className="run__stage" style={{ aspectRatio: ratioOf(picture.size) }}>
        {run?.previewUrl ? (
          <img className="run__preview" data-testid="preview" src={run.previewUrl} alt="Preview of the picture being drawn" />
        ) : (
          <span className="run__shimmer" aria-hidden="true" />
        )}
      </div>
      <div
        className={`run__bar${isWaiting ? " run__bar--waiting" : ""}`}
        data-testid="progress"
        role="progressbar"
        aria-label={text}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={isWaiting ? undefined : percent}
      >
        <span style={{ transform: `scaleX(${percent / 100})` }} />
      </div>
      <div className="run__line">
        <span className="run__text" data-testid="run-text" title={title}>
          {text}
        </span>
        <span className="run__numbers">{isWaiting ? `${seconds} s` : `${percent} % · ${seconds} s`}</span>
        {onCancel && (
          <Button look="ghost" icon="close" className="nodrag" aria-label="Cancel" disabled={isBusy} onClick={onCancel} />
        )}
      </div>
    </section>
  );
}

import { useCallback, useEffect, useState } from "react";
import type { JobRecord, RunEvent } from "../client";
import { modelOf } from "../nodes/offer";
import { useProviders } from "../nodes/useProviders";
import { canvasPath, followLink } from "../route";
import { http } from "../session";
import { Button } from "../ui/Button";
import { sayError } from "../ui/toasts";
import { Fact } from "../ui/Fact";
import { RunState } from "./RunTable";
import { useWhileSeen } from "./useRuns";
import { costWords, isLive, lasted } from "./words";

interface RunDetailProps {
  run: JobRecord;
  /** It was cancelled, or there is a new one. */
  onChange: () => void;
  onNode: () => void;
  onClose: () => void;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** One run: what it came to, what it cost, and all that happened. */
export function RunDetail({ run, onChange, onNode, onClose }: RunDetailProps) {
  const { jobId, status, error } = run;
  const { events, failure } = useRunEvents(run);
  const { list } = useProviders();
  const act = (request: Promise<unknown>): void => void request.then(onChange, sayError);
  return (
    <aside className="run-detail" aria-label="Run" data-testid="run-detail" onKeyDown={(event) => event.key === "Escape" && onClose()}>
      <header className="run-detail__head">
        <RunState run={run} />
        <strong>{modelOf(list, run)?.label ?? run.model}</strong>
        <Button look="ghost" icon="close" aria-label="Close" onClick={onClose} />
      </header>
      {run.imageUrl && <img className="run-detail__picture" src={run.imageUrl} alt="What came of it" />}
      {status === "failed" && error && <p className="run-detail__error">{error.detail}</p>}
      <div className="run-detail__acts">
        {isLive(run) ? (
          <Button icon="stop" onClick={() => act(http.cancelRun(jobId))}>
            Cancel
          </Button>
        ) : (
          <Button icon="retry" onClick={() => act(http.retryRun(jobId))}>
            Run again
          </Button>
        )}
        <a className="button button--plain" href={canvasPath(run.workflowId)} onClick={followLink}>
          Open its canvas
        </a>
        <Button onClick={onNode}>Runs of this node</Button>
      </div>
      <dl className="run-detail__facts">
        <Fact name="Provider" value={run.provider} />
        <Fact name="Took" value={lasted(run)} />
        <Fact name="Attempt" value={String(run.attempt)} />
        <Fact name="Cost" value={costWords(run.cost)} />
        <Fact name="Run" value={jobId} />
      </dl>
      <h2>What happened</h2>
      {failure !== null && <p role="alert">{failure}</p>}
      {events?.length === 0 && <p className="run-detail__none">The details of old runs are not kept.</p>}
      <ol className="run-detail__events">
        {events?.map(({ timestamp, kind, message }, place) => (
          <li key={place} className={kind === "error" ? "run-detail__event--bad" : undefined}>
            <time dateTime={timestamp}>{clock.format(new Date(timestamp))}</time>
            <span>{message}</span>
          </li>
        ))}
      </ol>
    </aside>
  );
}

/** What is stored of a run, looked at again as long as it goes on, and once more when it has ended. */
function useRunEvents(run: JobRecord): { events: readonly RunEvent[] | null; failure: string | null } {
  const { jobId } = run;
  const [events, setEvents] = useState<readonly RunEvent[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const look = useCallback((): void => {
    http.listRunEvents(jobId).then(
      ({ items }) => {
        setEvents(items);
        setFailure(null);
      },
      (reason: unknown) => setFailure(reason instanceof Error ? reason.message : String(reason)),
    );
  }, [jobId]);
  const live = isLive(run);
  useEffect(look, [look, live]);
  useWhileSeen(look, live);
  return { events, failure };
}

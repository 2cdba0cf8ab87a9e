import type { KeyboardEvent } from "react";
import type { JobRecord } from "../client";
import { modelOf } from "../nodes/offer";
import { useProviders } from "../nodes/useProviders";
import { since } from "../ui/elapsed";
import { isLive, lasted, STATUS_WORDS } from "./words";

interface RunTableProps {
  runs: readonly JobRecord[];
  openId: string | null;
  onOpen: (jobId: string) => void;
}

/** One Tab stop a row's button; the arrow keys go from row to row. */
export function RunTable({ runs, openId, onOpen }: RunTableProps) {
  const { list } = useProviders();
  const onKeyDown = (event: KeyboardEvent<HTMLUListElement>): void => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const rows = [...event.currentTarget.querySelectorAll("button")];
    rows[rows.indexOf(document.activeElement as HTMLButtonElement) + by]?.focus();
  };
  return (
    <ul className="runs__rows" onKeyDown={onKeyDown}>
      {runs.map((run) => (
        <li key={run.jobId}>
          <button type="button" className="runs__row" data-testid="run" aria-pressed={run.jobId === openId} onClick={() => onOpen(run.jobId)}>
            <RunState run={run} />
            <span className="runs__model">{modelOf(list, run)?.label ?? run.model}</span>
            <span className="runs__note">{noteOf(run)}</span>
            <time dateTime={run.startedAt}>{since(run.startedAt)}</time>
          </button>
        </li>
      ))}
    </ul>
  );
}

export function RunState({ run }: { run: JobRecord }) {
  return <span className={`runs__state runs__state--${run.status}`}>{STATUS_WORDS[run.status]}</span>;
}

function noteOf(run: JobRecord): string {
  if (run.status === "failed") return run.error?.detail ?? "";
  if (run.status === "pending") return run.inLine?.text ?? run.waitsFor ?? "";
  if (isLive(run)) return `${run.progress ?? 0} %`;
  return `${run.images && run.images.length > 1 ? `${run.images.length} pictures, ` : ""}${lasted(run)}`;
}

import { useCallback, useEffect } from "react";
import type { JobRecord } from "../client";
import { usePages } from "../gallery/usePages";
import { http } from "../session";
import { withNewest } from "./words";

const AGAIN_MS = 2_000;

export type RunQuery = Parameters<typeof http.listRuns>[0];

/** Calls it every two seconds as long as somebody looks. */
export function useWhileSeen(act: () => void, isWanted = true): void {
  useEffect(() => {
    if (!isWanted) return;
    const timer = setInterval(() => document.visibilityState === "visible" && act(), AGAIN_MS);
    return () => clearInterval(timer);
  }, [act, isWanted]);
}

/** Runs, newest first; those on the first page are kept as they are now. `wanted` has to stay the same object. */
export function useRuns(wanted: RunQuery) {
  const load = useCallback((cursor?: string) => http.listRuns(wanted, cursor), [wanted]);
  const pages = usePages<JobRecord>(load);
  const { change } = pages;
  const refresh = useCallback((): void => {
    load().then(
      ({ items }) => change((shown) => withNewest(shown.filter((run) => isStill(run, items)), items)),
      () => undefined, // the next look is two seconds away; a list that cannot be had at all says so itself
    );
  }, [load, change]);
  useWhileSeen(refresh, pages.items !== null && pages.failure === null);
  return { ...pages, refresh };
}

/** One that the newest page has passed over is no longer what is looked for, such as one that has ended. */
function isStill(run: JobRecord, newest: readonly JobRecord[]): boolean {
  const oldest = newest.at(-1);
  return oldest !== undefined && (run.startedAt < oldest.startedAt || newest.some(({ jobId }) => jobId === run.jobId));
}

/** Runs and their costs, in words and numbers for the page. Pure. */
import type { JobRecord, Usage } from "../client";
import { dollars } from "../nodes/offer";

export type Status = JobRecord["status"];

export const STATUS_WORDS: Record<Status, string> = {
  pending: "In line",
  running: "Drawing",
  completed: "Finished",
  failed: "Failed",
  cancelled: "Cancelled",
};

export function isLive({ status }: Pick<JobRecord, "status">): boolean {
  return status === "pending" || status === "running";
}

/** `4 s`, `3 min 5 s`: from the start to the end, or to now. */
export function lasted({ startedAt, finishedAt }: Pick<JobRecord, "startedAt" | "finishedAt">, now = Date.now()): string {
  const end = finishedAt == null ? now : Date.parse(finishedAt);
  const seconds = Math.max(0, Math.round((end - Date.parse(startedAt)) / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** What is known first, then what was estimated; nothing that is not known is told as nothing. */
export function costWords(cost: JobRecord["cost"]): string {
  if (cost == null) return "Not known yet";
  const known = cost.actualUsd ?? 0;
  if (!cost.isUnknown) return dollars(known);
  if (known > 0) return `${dollars(known)} and more`;
  return cost.estimatedUsd == null ? "Not known" : `Not known, about ${dollars(cost.estimatedUsd)}`;
}

/** The newest page laid over what is shown: what has moved is put right, what is new comes first. */
export function withNewest(shown: readonly JobRecord[], newest: readonly JobRecord[]): JobRecord[] {
  const ids = new Set(newest.map(({ jobId }) => jobId));
  return [...newest, ...shown.filter(({ jobId }) => !ids.has(jobId))];
}

export interface Day {
  /** `2026-11-28`, in UTC. */
  day: string;
  /** US dollars by provider; only what is known, or was estimated where it is not. */
  parts: { provider: string; usd: number; runs: number }[];
  usd: number;
}

/** The last `count` days up to `today`, the days without a run too. */
export function daysOf(rows: readonly Usage[], today: string, count = 14): Day[] {
  const last = Date.parse(`${today}T00:00:00Z`);
  return Array.from({ length: count }, (_, place) => {
    const day = new Date(last - (count - 1 - place) * 86_400_000).toISOString().slice(0, 10);
    const parts = rows
      .filter((row) => row.day === day)
      .map(({ provider, cost, runs }) => ({ provider: provider ?? "", usd: cost.actualUsd ?? cost.estimatedUsd ?? 0, runs }));
    return { day, parts, usd: parts.reduce((sum, { usd }) => sum + usd, 0) };
  });
}

/** `28 Nov`. */
export function dayWords(day: string): string {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}

import { describe, expect, it } from "vitest";
import type { JobRecord, Usage } from "../client";
import { costWords, daysOf, dayWords, lasted, withNewest } from "./words";

const run = (jobId: string, status: JobRecord["status"]): JobRecord => ({ jobId, status, nodeId: "n", workflowId: "w", provider: "p", model: "m", startedAt: "2026-11-28T10:00:00Z", attempt: 1 });

describe("a run", () => {
  it("says how long it has taken", () => {
    expect(lasted({ startedAt: "2026-11-28T10:00:00Z", finishedAt: "2026-11-28T10:00:04.4Z" })).toBe("4 s");
    expect(lasted({ startedAt: "2026-11-28T10:00:00Z" }, Date.parse("2026-11-28T10:03:05Z"))).toBe("3 min 5 s");
  });

  it("says what it cost, and what nobody knows", () => {
    expect(costWords({ isUnknown: false, actualUsd: 0.04 })).toBe("$0.04");
    expect(costWords({ isUnknown: true, estimatedUsd: 0.04 })).toBe("Not known, about $0.04");
    expect(costWords({ isUnknown: true, actualUsd: 0.08 })).toBe("$0.08 and more");
    expect(costWords(null)).toBe("Not known yet");
  });

  it("is shown once, as it is now", () => {
    const shown = [run("b", "running"), run("a", "completed")];
    expect(withNewest(shown, [run("c", "pending"), run("b", "completed")]).map(({ jobId, status }) => `${jobId} ${status}`)).toEqual(["c pending", "b completed", "a completed"]);
  });
});

describe("days", () => {
  const row = (day: string, provider: string, actualUsd: number | null): Usage => ({ day, provider, runs: 2, images: 2, unknownRuns: 0, cost: { isUnknown: actualUsd === null, estimatedUsd: 0.5, actualUsd } });
  it("are told without a gap, today last", () => {
    const days = daysOf([row("2026-11-27", "openai", 1), row("2026-11-27", "fal", null), row("2026-01-01", "fal", 9)], "2026-11-28", 3);
    expect(days.map(({ day, usd }) => [day, usd])).toEqual([["2026-11-26", 0], ["2026-11-27", 1.5], ["2026-11-28", 0]]);
    expect(dayWords("2026-11-28")).toBe("28 Nov");
  });
});

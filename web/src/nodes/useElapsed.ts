import { useEffect, useState } from "react";

/** Whole seconds since this job was first seen, counted from the server's stamp when there is one. */
export function useElapsed(jobId: string | null, startedAt: string | null): number {
  const [start, setStart] = useState(() => begin(startedAt));
  const [job, setJob] = useState(jobId);
  const [now, setNow] = useState(() => Date.now());
  if (job !== jobId) {
    setJob(jobId);
    setStart(begin(startedAt));
  }

  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, Math.floor((now - start) / 1000));
}

function begin(startedAt: string | null): number {
  const stamp = startedAt === null ? NaN : Date.parse(startedAt);
  return Number.isNaN(stamp) ? Date.now() : Math.min(stamp, Date.now());
}

import { useEffect, useState } from "react";

const PATIENCE_MS = 300; // shorter waits feel better without a spinner

/** True once `isWaiting` has lasted long enough to be worth showing. */
export function useLate(isWaiting: boolean): boolean {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    if (!isWaiting) return;
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => {
      clearTimeout(timer);
      setLate(false);
    };
  }, [isWaiting]);
  return isWaiting && isLate;
}

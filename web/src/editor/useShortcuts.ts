import { useEffect, useRef } from "react";
import { actOf, type Act } from "./shortcuts";

export function useShortcuts(acts: Record<Act, (() => void) | undefined>): void {
  const latest = useRef(acts);
  useEffect(() => {
    latest.current = acts;
  });
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      const act = actOf(event);
      const run = act && latest.current[act];
      if (!run) return;
      event.preventDefault();
      run();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}

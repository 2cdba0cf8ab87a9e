import { useEffect, useRef } from "react";
import { actOf, SHORTCUTS, type Act } from "./shortcuts";

const EDITS: ReadonlySet<Act | undefined> = new Set(SHORTCUTS.flatMap(({ act, isEdit }) => (isEdit && act ? act : [])));

/** What only looks is there for everybody. */
export function mayDo(act: Act, mayEdit: boolean): boolean {
  return mayEdit || !EDITS.has(act);
}

export function useShortcuts(acts: Readonly<Record<Act, () => void>>, mayEdit: boolean): void {
  const latest = useRef({ acts, mayEdit });
  useEffect(() => {
    latest.current = { acts, mayEdit };
  });
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      const act = actOf(event);
      if (act === undefined || !mayDo(act, latest.current.mayEdit)) return;
      if (act !== "escape") event.preventDefault(); // an Escape has other work as well
      latest.current.acts[act]();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}

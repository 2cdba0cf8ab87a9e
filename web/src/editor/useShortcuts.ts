import { useEffect, useRef } from "react";
import { actOf, SHORTCUTS, type Act } from "./shortcuts";

const EDITS: ReadonlySet<Act | undefined> = new Set(SHORTCUTS.flatMap(({ act, isEdit }) => (isEdit && act ? act : [])));

/** What only looks is there for everybody. */
export function mayDo(act: Act, mayEdit: boolean): boolean {
  return mayEdit || !EDITS.has(act);
}

interface Place {
  mayEdit: boolean;
  /** Something else is shown in the place of the canvas. */
  isCovered: boolean;
}

export function useShortcuts(acts: Readonly<Record<Act, () => void>>, { mayEdit, isCovered }: Place): void {
  const latest = useRef({ acts, mayEdit, isCovered });
  useEffect(() => {
    latest.current = { acts, mayEdit, isCovered };
  });
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      const act = actOf(event);
      if (act === undefined || latest.current.isCovered || !mayDo(act, latest.current.mayEdit)) return;
      if (act !== "escape") event.preventDefault(); // an Escape has other work as well
      latest.current.acts[act]();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}

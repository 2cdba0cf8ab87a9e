import { useCallback, useEffect } from "react";
import type { Render } from "../client";
import { endings } from "../editor/endings";
import { withNewest } from "../gallery/newest";
import { usePages, type Pages } from "../gallery/usePages";
import { useCanvas } from "../react";
import { http } from "../session";
import { sayError } from "../ui/toasts";

const A_PAGE = 60;

/** One's own pictures that have these words, the newest first; those that are finished on this canvas join them. */
export function usePictures(words: string): Pages<Render> {
  const { store } = useCanvas();
  const load = useCallback((cursor?: string) => http.listRenders(words === "" ? {} : { q: words }, cursor, A_PAGE), [words]);
  const pages = usePages<Render>(load);
  const { change } = pages;

  useEffect(() => {
    let isWanted = true; // other words may be looked for meanwhile
    const take = (newest: readonly Render[]): void => {
      if (isWanted) change((known) => withNewest(newest, known, ({ id }) => id));
    };
    const leave = store.subscribe((after, before) => {
      if (after.room.document === before.room.document) return;
      const ended = endings(before.room.document.nodes, after.room.document.nodes);
      if (ended.some(({ status }) => status === "completed")) load().then(({ items }) => take(items), sayError);
    });
    return () => {
      isWanted = false;
      leave();
    };
  }, [store, load, change]);
  return pages;
}

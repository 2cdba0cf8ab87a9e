import { useReactFlow } from "@xyflow/react";
import { useEffect, useState } from "react";
import type { NodeRecord } from "../client";
import { isLive, readPicture, type PictureStatus } from "../nodes/picture";
import { useCanvas } from "../react";
import { say } from "../ui/toasts";

const CLOSE = { maxZoom: 1, duration: 240 };
const ENDS: Partial<Record<PictureStatus, string>> = {
  completed: "Picture finished",
  error: "Picture failed",
  cancelled: "Picture cancelled",
};

/** Tells how runs end, wherever on the canvas they are: a screen reader all of them, everybody those that failed. */
export function RunAnnouncer() {
  const canvas = useCanvas();
  const { store } = canvas;
  const { fitView } = useReactFlow();
  const [text, setText] = useState("");

  useEffect(() => {
    const show = (id: string): void => {
      canvas.select([id]);
      void fitView({ nodes: [{ id }], ...CLOSE });
    };
    return store.subscribe((after, before) => {
      if (after.room.document === before.room.document) return;
      const news = endings(before.room.document.nodes, after.room.document.nodes);
      if (news.length > 0) setText(news.map(({ words }) => words).join(". "));
      for (const { id, error } of news) if (error !== null) say(`A picture could not be made. ${error}`, { tone: "bad", action: { label: "Show", run: () => show(id) } });
    });
  }, [canvas, store, fitView]);

  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {text}
    </div>
  );
}

interface Ending {
  id: string;
  words: string;
  /** Why there is no picture, and what to do about it. */
  error: string | null;
}

function endings(before: readonly NodeRecord[], after: readonly NodeRecord[]): Ending[] {
  const drawing = new Set(before.filter(({ data }) => isLive(readPicture(data).status)).map(({ id }) => id));
  return after.flatMap(({ id, data }) => {
    const { status, prompt, error } = readPicture(data);
    const end = ENDS[status];
    return end !== undefined && drawing.has(id) ? [{ id, words: `${end}: ${prompt}`, error: status === "error" ? (error ?? "") : null }] : [];
  });
}

import { useEffect, useState } from "react";
import type { NodeRecord } from "../client";
import { isLive, readPicture, type PictureStatus } from "../nodes/picture";
import { useCanvas } from "../react";

const ENDS: Partial<Record<PictureStatus, string>> = {
  completed: "Picture finished",
  error: "Picture failed",
  cancelled: "Picture cancelled",
};

/** Tells a screen reader how runs end, wherever on the canvas they are. */
export function RunAnnouncer() {
  const { store } = useCanvas();
  const [text, setText] = useState("");

  useEffect(() => {
    return store.subscribe((after, before) => {
      if (after.room.document === before.room.document) return;
      const news = endings(before.room.document.nodes, after.room.document.nodes);
      if (news.length > 0) setText(news.join(". "));
    });
  }, [store]);

  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {text}
    </div>
  );
}

function endings(before: readonly NodeRecord[], after: readonly NodeRecord[]): string[] {
  const drawing = new Set(before.filter(({ data }) => isLive(readPicture(data).status)).map(({ id }) => id));
  return after.flatMap(({ id, data }) => {
    const { status, prompt } = readPicture(data);
    const end = ENDS[status];
    return end !== undefined && drawing.has(id) ? [`${end}: ${prompt}`] : [];
  });
}

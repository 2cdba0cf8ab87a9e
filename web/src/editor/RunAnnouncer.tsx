import { useReactFlow } from "@xyflow/react";
import { useEffect, useState } from "react";
import { useCanvas } from "../react";
import { say } from "../ui/toasts";
import { endings } from "./endings";

const CLOSE = { maxZoom: 1, duration: 240 };

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

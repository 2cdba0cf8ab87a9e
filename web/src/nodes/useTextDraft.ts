import { useEffect, useRef, useState } from "react";
import { useCanvas } from "../react";

const REST_MS = 400; // a pause between words, not between letters

/** A text as it is being typed: shown at once, sent when the hand rests, deaf to others while it has the focus. */
export function useTextDraft(nodeId: string, pointer: string, stored: string) {
  const canvas = useCanvas();
  const [draft, setDraft] = useState<string | null>(null);
  const [isUntouched, setUntouched] = useState(true); // since the cursor came
  const latest = useRef({ draft, stored });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  useEffect(() => {
    latest.current = { draft, stored };
  });

  /** Sends what is still unsent and answers the text as it now stands. */
  const flush = (): string => {
    clearTimeout(timer.current);
    const { draft: typed, stored: known } = latest.current;
    if (typed === null || typed === known) return known;
    latest.current.stored = typed;
    void canvas.setNode(nodeId, { [pointer]: typed });
    return typed;
  };
  const flushLatest = useRef(flush);
  useEffect(() => {
    flushLatest.current = flush;
  });
  useEffect(() => () => void flushLatest.current(), []);

  return {
    text: draft ?? stored,
    isUntouched,
    flush,
    onFocus: () => {
      setDraft(stored);
      setUntouched(true);
      canvas.room.setPresence({ editing: nodeId });
    },
    onChange: (text: string) => {
      setDraft(text);
      setUntouched(false);
      latest.current.draft = text;
      clearTimeout(timer.current);
      timer.current = setTimeout(() => flushLatest.current(), REST_MS);
    },
    onBlur: () => {
      flush();
      setDraft(null);
      canvas.room.setPresence({ editing: null });
    },
  };
}

import type { ConnectionState } from "../client";
import { useCanvasState } from "../react";
import { closingOf } from "./closing";

const WORDS: Record<ConnectionState, string> = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting…",
  "signed-out": "Signed out",
  stopped: "Closed",
};
const SAVED = "Every change is saved as you make it.";
const WAITING = "Keep working: your changes are sent when the connection is back.";

/** Whether what is on screen is what everyone has, how many of your changes are still on their way, and why. */
export function ConnectionPill() {
  const connection = useCanvasState((state) => state.room.connection);
  const code = useCanvasState((state) => state.room.closeCode);
  const pending = useCanvasState((state) => state.room.pendingCount);
  const isLive = connection === "live";
  const closing = isLive ? null : closingOf(code);
  const isOver = connection === "stopped";
  const changes = pending === 1 ? "1 change" : `${pending} changes`;
  return (
    <>
      <span
        className={`pill pill--${isLive ? "live" : "waiting"}`}
        data-testid="connection"
        data-state={connection}
        data-pending={pending}
        role="status"
        title={closing?.text ?? (isLive ? SAVED : WAITING)}
      >
        {closing?.title ?? WORDS[connection]}
        {isOver && closing !== null && <span className="pill__pending"> · {closing.text}</span>}
        {pending > 0 && !isLive && <span className="pill__pending"> · {changes} waiting</span>}
      </span>
      {isOver && (
        <a className="button button--plain" href={window.location.pathname}>
          Reload
        </a>
      )}
    </>
  );
}

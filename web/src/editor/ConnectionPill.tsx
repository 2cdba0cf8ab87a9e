import type { ConnectionState } from "../client";
import { useCanvasState } from "../react";

const WORDS: Record<ConnectionState, string> = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting…",
  "signed-out": "Signed out",
  stopped: "Closed",
};

/** Whether what is on screen is what everyone has, and how many of your changes are still on their way. */
export function ConnectionPill() {
  const connection = useCanvasState((state) => state.room.connection);
  const pending = useCanvasState((state) => state.room.pendingCount);
  const isLive = connection === "live";
  const changes = pending === 1 ? "1 change" : `${pending} changes`;
  return (
    <span
      className={`pill pill--${isLive ? "live" : "waiting"}`}
      data-testid="connection"
      data-state={connection}
      role="status"
      title={isLive ? "Every change is saved as you make it." : "Keep working: your changes are sent when the connection is back."}
    >
      {WORDS[connection]}
      {pending > 0 && !isLive && <span className="pill__pending"> · {changes} waiting</span>}
    </span>
  );
}

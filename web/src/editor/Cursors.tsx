import { useViewport, ViewportPortal } from "@xyflow/react";
import { useCanvasState } from "../react";

/** The others' pointers, in the canvas's own coordinates, the same size at every zoom. */
export function Cursors() {
  const peers = useCanvasState((state) => state.room.peers);
  const { zoom } = useViewport();
  return (
    <ViewportPortal>
      {Object.entries(peers).map(([session, { user, cursor }]) =>
        user && cursor ? (
          <div
            key={session}
            className="cursor"
            data-testid="remote-cursor"
            style={{ transform: `translate(${cursor.x}px, ${cursor.y}px) scale(${1 / zoom})`, color: user.color }}
          >
            <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
              <path d="M2.5 2l5.2 14.4 2.3-6 6.1-2.2z" fill="currentColor" stroke="#fff" strokeWidth="1.4" strokeLinejoin="round" />
            </svg>
            <span className="cursor__name" style={{ background: user.color }}>
              {user.name}
            </span>
          </div>
        ) : null,
      )}
    </ViewportPortal>
  );
}

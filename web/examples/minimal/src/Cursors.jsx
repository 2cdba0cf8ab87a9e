import { useCanvas, useCanvasState } from "@easel/react";
import { useReactFlow, ViewportPortal } from "@xyflow/react";
import { useEffect } from "react";

/** Where the others point; and tells them where you do. */
export function Cursors() {
  const { room } = useCanvas();
  const { screenToFlowPosition } = useReactFlow();
  const peers = useCanvasState((state) => state.room.peers);

  useEffect(() => {
    const show = ({ clientX: x, clientY: y }) => room.setPresence({ cursor: screenToFlowPosition({ x, y }) });
    window.addEventListener("pointermove", show);
    return () => window.removeEventListener("pointermove", show);
  }, [room, screenToFlowPosition]);

  return (
    <ViewportPortal>
      {Object.entries(peers).map(([session, { user, cursor }]) =>
        cursor && (
          <div key={session} style={{ position: "absolute", transform: `translate(${cursor.x}px, ${cursor.y}px)`, color: user.color }}>
            ➤ {user.name}
          </div>
        ),
      )}
    </ViewportPortal>
  );
}

import { useInternalNode, ViewportPortal } from "@xyflow/react";
import type { User } from "../client";
import { useCanvasState } from "../react";

/** What the others have selected or are holding, outlined in their colour. */
export function PeerSelections() {
  const peers = useCanvasState((state) => state.room.peers);
  return (
    <ViewportPortal>
      {Object.entries(peers).flatMap(([session, { user, selection = [], drag = {} }]) =>
        user
          ? [...new Set([...selection, ...Object.keys(drag)])].map((nodeId) => (
              <Outline key={`${session} ${nodeId}`} nodeId={nodeId} user={user} />
            ))
          : [],
      )}
    </ViewportPortal>
  );
}

function Outline({ nodeId, user }: { nodeId: string; user: User }) {
  const node = useInternalNode(nodeId);
  if (node?.measured.width === undefined) return null;
  const { x, y } = node.internals.positionAbsolute;
  const { width, height } = node.measured;
  return (
    <div className="peer-outline" style={{ transform: `translate(${x}px, ${y}px)`, width, height, color: user.color }}>
      <span style={{ background: user.color }}>{user.name}</span>
    </div>
  );
}

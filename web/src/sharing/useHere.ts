import { useCanvasState } from "../react";

/** Changes whenever somebody comes or goes. */
export function useHere(): string {
  return useCanvasState(({ room }) => [...new Set(Object.values(room.peers).map(({ user }) => user?.id))].sort().join());
}

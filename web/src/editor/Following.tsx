import { useOnViewportChange, useReactFlow, useStoreApi } from "@xyflow/react";
import { useCallback, useEffect } from "react";
import { useCanvas, useCanvasState } from "../react";
import { Button } from "../ui/Button";
import { say } from "../ui/toasts";
import { leaderOf, stopFollowing, useFollowing } from "./following";

const GLIDE_MS = 120;

/** Shows the others what is in the middle of this screen; somebody who goes along with another has no view of their own. */
export function SharedView() {
  const { room } = useCanvas();
  const flow = useStoreApi();
  const isFollowing = useFollowing((state) => state.userId !== null);
  const tell = useCallback(() => {
    if (useFollowing.getState().userId !== null) return;
    const { transform, width, height } = flow.getState();
    const [x, y, zoom] = transform;
    room.setPresence({ viewport: { x: (width / 2 - x) / zoom, y: (height / 2 - y) / zoom, zoom } });
  }, [room, flow]);
  useOnViewportChange({ onChange: tell });
  useEffect(tell, [tell, isFollowing]);
  return null;
}

/** Goes along with somebody until one moves by oneself, presses Escape, or they leave: their colour frames the screen meanwhile. */
export function Following() {
  const userId = useFollowing((state) => state.userId);
  return userId === null ? null : <Frame key={userId} userId={userId} />;
}

function Frame({ userId }: { userId: string }) {
  const { store } = useCanvas();
  const { setCenter } = useReactFlow();
  const leader = useCanvasState((state) => leaderOf(state.room.peers, userId)?.user);

  useEffect(() => {
    let shown: unknown;
    let name = "";
    const goAlong = (): void => {
      const now = leaderOf(store.getState().room.peers, userId);
      if (now === null) {
        if (store.getState().room.connection !== "live") return; // nobody is seen then; they may be there again
        if (stopFollowing() && name !== "") say(`${name} has left.`);
        return;
      }
      name = now.user.name;
      if (now.viewport === undefined || now.viewport === shown) return;
      shown = now.viewport;
      void setCenter(now.viewport.x, now.viewport.y, { zoom: now.viewport.zoom, duration: GLIDE_MS, interpolate: "linear" });
    };
    goAlong();
    return store.subscribe(goAlong);
  }, [store, setCenter, userId]);

  useEffect(() => {
    const onPointerDown = ({ target }: PointerEvent): void => {
      if (target instanceof Element && target.closest(".overview, .react-flow__controls") !== null) stopFollowing();
    };
    window.addEventListener("pointerdown", onPointerDown, { capture: true });
    return () => {
      window.removeEventListener("pointerdown", onPointerDown, { capture: true });
      stopFollowing();
    };
  }, []);

  if (leader === undefined) return null;
  return (
    <div className="following" data-testid="following" style={{ borderColor: leader.color }}>
      <p className="following__label" role="status" style={{ background: leader.color }}>
        Following {leader.name}
        <Button look="ghost" icon="close" aria-label="Stop following (Escape)" onClick={stopFollowing} />
      </p>
    </div>
  );
}

/**
 * The whole canvas in a corner, and which part of it is on the screen. React Flow's own has every node listen to every
 * change, which two thousand of them cannot; here one listens for all of them.
 */
import { Panel, useReactFlow, useStore, useStoreApi, type InternalNode, type ReactFlowState, type Rect, type Viewport } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore, type PointerEvent } from "react";
import { useShallow } from "zustand/react/shallow";
import type { XY } from "../client";
import { readPicture } from "../nodes/picture";
import { boundsOf } from "./arrange";

const SIZE = { width: 168, height: 116 };
const MARGIN_PX = 5;
const REST_MS = 100; // at this size nobody sees a sixtieth of a second
const ZOOM_PER_PX = 0.002;

type Tone = "frame" | "plain" | "live" | "good" | "bad";

function toneOf({ type, data }: InternalNode): Tone {
  const { status } = readPicture(data);
  if (type === "group") return "frame";
  if (status === "pending" || status === "running") return "live";
  if (status === "error") return "bad";
  return status === "completed" ? "good" : "plain";
}

/** What is in view, in the canvas's own coordinates. */
function viewOf({ transform: [x, y, zoom], width, height }: ReactFlowState): Rect {
  return { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
}

function useNodesNowAndThen() {
  const store = useStoreApi();
  const subscribe = useCallback(
    (changed: () => void) => {
      let rest: ReturnType<typeof setTimeout> | undefined;
      const stop = store.subscribe(({ nodes }, before) => {
        if (nodes === before.nodes || rest !== undefined) return;
        rest = setTimeout(() => {
          rest = undefined;
          changed();
        }, REST_MS);
      });
      return () => {
        clearTimeout(rest);
        stop();
      };
    },
    [store],
  );
  return useSyncExternalStore(subscribe, () => store.getState().nodes);
}

/** The nodes as one outline for each tone, and what they reach over. */
function useShapes() {
  const { getInternalNode } = useReactFlow();
  const nodes = useNodesNowAndThen();
  return useMemo(() => {
    const outlines = new Map<Tone, string[]>();
    const boxes = nodes.flatMap(({ id, hidden }) => {
      const node = hidden ? undefined : getInternalNode(id);
      if (node?.measured.width === undefined || node.measured.height === undefined) return [];
      const box = { id, ...node.internals.positionAbsolute, width: node.measured.width, height: node.measured.height };
      const tone = toneOf(node);
      const outline = outlines.get(tone) ?? [];
      outlines.set(tone, outline);
      outline.push(outlineOf(box));
      return [box];
    });
    const paths = [...outlines].map(([tone, outline]) => <path key={tone} className={`overview__nodes overview__nodes--${tone}`} d={outline.join("")} />);
    return { paths, bounds: boxes.length > 0 ? boundsOf(boxes) : null };
  }, [nodes, getInternalNode]);
}

function outlineOf({ x, y, width, height }: Rect): string {
  return `M${Math.round(x)} ${Math.round(y)}h${Math.round(width)}v${Math.round(height)}h${-Math.round(width)}z`;
}

/** The map's own window onto the canvas: both the nodes and what is in view, in the map's proportions. `scale`: of a pixel. */
function windowOver(bounds: Rect | null, view: Rect): Rect & { scale: number } {
  const all = boundsOf(bounds === null ? [view] : [bounds, view]);
  const scale = Math.max(all.width / (SIZE.width - 2 * MARGIN_PX), all.height / (SIZE.height - 2 * MARGIN_PX));
  const [width, height] = [SIZE.width * scale, SIZE.height * scale];
  return { x: all.x - (width - all.width) / 2, y: all.y - (height - all.height) / 2, width, height, scale };
}

/** A hand that drags on the map takes the view along, a wheel brings it nearer. */
function useMoving(scale: number) {
  const flow = useReactFlow();
  const svg = useRef<SVGSVGElement>(null);
  const grip = useRef<{ from: XY; viewport: Viewport } | null>(null);

  useEffect(() => {
    const element = svg.current;
    const onWheel = (event: WheelEvent): void => {
      event.preventDefault();
      void flow.zoomTo(flow.getZoom() * 2 ** (-event.deltaY * ZOOM_PER_PX));
    };
    element?.addEventListener("wheel", onWheel, { passive: false });
    return () => element?.removeEventListener("wheel", onWheel);
  }, [flow]);

  const onPointerDown = ({ currentTarget, pointerId, clientX: x, clientY: y }: PointerEvent): void => {
    currentTarget.setPointerCapture(pointerId);
    grip.current = { from: { x, y }, viewport: flow.getViewport() };
  };
  const onPointerMove = ({ clientX, clientY }: PointerEvent): void => {
    if (grip.current === null) return;
    const { from, viewport } = grip.current;
    const step = scale * viewport.zoom;
    void flow.setViewport({ ...viewport, x: viewport.x - (clientX - from.x) * step, y: viewport.y - (clientY - from.y) * step });
  };
  const letGo = (): void => {
    grip.current = null;
  };
  return { ref: svg, onPointerDown, onPointerMove, onPointerUp: letGo, onPointerCancel: letGo };
}

export function Overview({ label }: { label: string }) {
  const view = useStore(useShallow(viewOf));
  const { paths, bounds } = useShapes();
  const { x, y, width, height, scale } = windowOver(bounds, view);
  const moving = useMoving(scale);
  return (
    <Panel position="bottom-right" className="overview">
      <svg {...SIZE} viewBox={`${x} ${y} ${width} ${height}`} role="img" aria-label={label} {...moving}>
        {paths}
        <path className="overview__out" fillRule="evenodd" d={outlineOf({ x: x - scale, y: y - scale, width: width + 2 * scale, height: height + 2 * scale }) + outlineOf(view)} />
      </svg>
    </Panel>
  );
}

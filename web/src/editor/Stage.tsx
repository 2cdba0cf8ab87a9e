import { Background, BackgroundVariant, Controls, SelectionMode, useReactFlow } from "@xyflow/react";
import { memo, useRef, useState, type PointerEvent } from "react";
import type { XY } from "../client";
import { toggleDrawer } from "../drawer/panel";
import { openHistory } from "../history/panel";
import { ourType } from "../nodes/ours";
import { useCanvas, useCanvasState, useMayEdit, type Wire } from "../react";
import type { Alignment } from "./arrange";
import { CanvasMenu } from "./CanvasMenu";
import { Cursors } from "./Cursors";
import { duplicateSelected } from "./edits";
import { EmptyCanvas } from "./EmptyCanvas";
import { exportCanvas } from "./exporting";
import { Following, SharedView } from "./Following";
import { stopFollowing } from "./following";
import { Flow } from "./Flow";
import { FARTHEST, isLarge } from "./large";
import { NodeSearch } from "./NodeSearch";
import { Overview } from "./Overview";
import { RunAnnouncer } from "./RunAnnouncer";
import { SelectionTools } from "./SelectionTools";
import { ShortcutSheet } from "./ShortcutSheet";
import type { Act } from "./shortcuts";
import { Tools } from "./Tools";
import { middleOfScreen, useAdding } from "./useAdding";
import { useArranging } from "./useArranging";
import { useBeginning } from "./useBeginning";
import { useClipboard } from "./useClipboard";
import { useContextMenu } from "./useContextMenu";
import { useFraming } from "./useFraming";
import { useIncomingPictures } from "./useIncomingPictures";
import { useShortcuts } from "./useShortcuts";
import { useWiring } from "./useWiring";
import { WireRefusal } from "./WireRefusal";

const FIT = {
  padding: { top: "88px", bottom: "88px", x: "64px" } as const, // clear of the bars
  maxZoom: 1,
};
const EDGE_OPTIONS = { interactionWidth: 24 };

/** Whoever moves the view goes along with nobody any more. */
function byHand(move: () => Promise<boolean>): () => void {
  return () => {
    stopFollowing();
    void move();
  };
}

function Search({ adding, add, close }: Pick<ReturnType<typeof useAdding>, "adding" | "add" | "close">) {
  const { getNode } = useReactFlow();
  if (adding === null) return null;
  const { at, wire } = adding;
  return <NodeSearch at={at} wire={wordFor(wire)} wiredType={wire && ourType(getNode(wire.nodeId))} onPick={add} onClose={close} />;
}

function wordFor(wire: Wire | undefined): "into" | "out of" | undefined {
  return wire && (wire.end === "source" ? "into" : "out of");
}

const ALIGNMENTS: readonly Alignment[] = ["left", "center", "right", "top", "middle", "bottom", "across", "down"];

/**
 * Everything around the nodes: it is drawn again when a menu opens, not when somebody moves something. `isCovered`: something
 * else is shown in its place, and gets the keys.
 */
export const Stage = memo(function Stage({ isCovered }: { isCovered: boolean }) {
  const canvas = useCanvas();
  const mayEdit = useMayEdit() && !isCovered;
  const flow = useReactFlow();
  const isEmpty = useCanvasState(({ nodes }) => nodes.length === 0);
  const large = useCanvasState(({ nodes }) => isLarge(nodes));
  const [hadNodes] = useState(!isEmpty); // fitting later would tear the first new node from under the pointer
  const [isHelpOpen, setHelpOpen] = useState(false);
  const pointer = useRef<XY | null>(null);
  const atPointer = (): XY => pointer.current ?? middleOfScreen();

  const minZoom = large ? FARTHEST.large : FARTHEST.usual;
  const adding = useAdding(mayEdit, atPointer);
  const { align, group, ungroup } = useArranging();
  const wiring = useWiring();
  const framing = useFraming();
  const clipboard = useClipboard(mayEdit, atPointer);
  const menu = useContextMenu();
  const { isOver, ...drops } = useIncomingPictures(mayEdit, atPointer);

  const onPointerMove = (event: PointerEvent): void => {
    const { clientX: x, clientY: y } = event;
    menu.onMove(event);
    pointer.current = { x, y };
    const cursor = flow.screenToFlowPosition({ x, y }, { snapToGrid: false });
    canvas.room.setPresence({ cursor: { x: Math.round(cursor.x), y: Math.round(cursor.y) } });
  };
  const onPointerLeave = (): void => {
    pointer.current = null;
    canvas.room.setPresence({ cursor: null });
  };
  const acts: Record<Act, () => void> = {
    "add-image": adding.addInMiddle,
    "add-node": adding.lookForNode,
    upload: adding.addUpload,
    wire: adding.wireSelected,
    duplicate: () => duplicateSelected(canvas),
    group,
    ungroup,
    ...(Object.fromEntries(ALIGNMENTS.map((each) => [`align-${each}`, () => align(each)])) as Record<`align-${Alignment}`, () => void>),
    undo: canvas.undo,
    redo: canvas.redo,
    "select-all": () => canvas.select(canvas.store.getState().nodes.map((node) => node.id)),
    escape: () => {
      if (!stopFollowing()) canvas.select([]);
    },
    "fit-view": byHand(() => flow.fitView({ ...FIT, minZoom, duration: 240 })),
    "zoom-in": byHand(() => flow.zoomIn({ duration: 120 })),
    "zoom-out": byHand(() => flow.zoomOut({ duration: 120 })),
    history: openHistory,
    pictures: toggleDrawer,
    export: () => exportCanvas(canvas, flow.getViewport()),
    help: () => setHelpOpen(true),
  };
  const begin = useBeginning(acts["fit-view"]);
  useShortcuts(acts, { mayEdit, isCovered });

  return (
    <div className="stage" inert={isCovered}>
      <Flow
        onConnectEnd={adding.onConnectEnd}
        onDoubleClick={adding.onDoubleClick}
        {...framing}
        {...drops}
        {...menu.handlers}
        onMoveStart={(event) => event !== null && stopFollowing()} // only a hand has an event
        onPointerMove={onPointerMove}
        onPointerLeave={onPointerLeave}
        panActivationKeyCode={null} // Space looks for a node; dragging the ground moves around
        isValidConnection={wiring.isValid}
        nodesDraggable={mayEdit}
        nodesConnectable={mayEdit}
        edgesReconnectable={mayEdit}
        deleteKeyCode={mayEdit ? ["Delete", "Backspace"] : null}
        selectionMode={SelectionMode.Partial}
        panOnScroll
        zoomOnDoubleClick={false}
        minZoom={minZoom}
        maxZoom={3}
        fitView={hadNodes}
        fitViewOptions={{ ...FIT, minZoom }} // at once: a card that glides into its place is missed by the first click
        colorMode="system"
        defaultEdgeOptions={EDGE_OPTIONS}
        aria-label="Canvas"
      >
        <Background variant={BackgroundVariant.Dots} gap={20} size={1.5} />
        <Controls showInteractive={false} showFitView={false} position="bottom-left" />
        {!isEmpty && <Overview label="Overview of the canvas" />}
        <Cursors />
        <SharedView />
        <Following />
        {mayEdit && <WireRefusal />}
        {mayEdit && <SelectionTools acts={acts} />}
      </Flow>
      {isEmpty && <EmptyCanvas onAdd={adding.addInMiddle} onBegin={begin} />}
      <Tools acts={acts} />
      {isOver && <div className="gallery__drop">Drop pictures to put them here</div>}
      <RunAnnouncer />
      <Search {...adding} />
      {menu.at !== null && <CanvasMenu at={menu.at} acts={acts} clipboard={clipboard} onClose={menu.close} />}
      {isHelpOpen && <ShortcutSheet onClose={() => setHelpOpen(false)} />}
    </div>
  );
});

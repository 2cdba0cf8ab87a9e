import {
  Background,
  BackgroundVariant,
  Controls,
  MiniMap,
  ReactFlow,
  SelectionMode,
  useReactFlow,
  type Node,
} from "@xyflow/react";
import { useMemo, useState, type MouseEvent, type PointerEvent } from "react";
import type { XY } from "../client";
import { readPicture } from "../nodes/picture";
import { nodeTypesFor } from "../nodes/registry";
import { useMayEdit, type Easel } from "../react";
import { Cursors } from "./Cursors";
import { EmptyCanvas } from "./EmptyCanvas";
import { FARTHEST, isLarge, sketched } from "./large";
import { Lightbox } from "./Lightbox";
import { PeerSelections } from "./PeerSelections";
import { RunAnnouncer } from "./RunAnnouncer";
import { ShortcutSheet } from "./ShortcutSheet";
import { Tools } from "./Tools";
import { useIncomingPictures } from "./useIncomingPictures";
import { useShortcuts } from "./useShortcuts";

const FIT = {
  padding: { top: "88px", bottom: "88px", x: "64px" } as const, // clear of the bars
  maxZoom: 1,
  duration: 240,
};
const CARD = { width: 280, height: 190 }; // an image node before its first picture
const EDGE_OPTIONS = { interactionWidth: 24 };

function minimapColor(node: Node): string {
  const { status } = readPicture(node.data);
  if (node.type === "group") return "var(--surface-3)";
  if (status === "pending" || status === "running") return "var(--accent)";
  if (status === "error") return "var(--bad)";
  if (status === "completed") return "var(--good)";
  return "var(--line-strong)";
}

const PICTURE_HEIGHT = 280;

export function Stage({ easel }: { easel: Easel }) {
  const { canvas, nodes, edges, onNodesChange, onEdgesChange, onConnect, onReconnect, onDelete } = easel;
  const mayEdit = useMayEdit();
  const flow = useReactFlow();
  const [hadNodes] = useState(nodes.length > 0); // fitting later would tear the first new node from under the pointer
  const [isHelpOpen, setHelpOpen] = useState(false);

  const types = [...new Set(nodes.map((node) => node.type ?? "default"))].sort().join("\n");
  const nodeTypes = useMemo(() => nodeTypesFor(types.split("\n")), [types]);

  const addAt = ({ x, y }: XY): void => {
    const at = flow.screenToFlowPosition({ x, y });
    const position = { x: Math.round(at.x - CARD.width / 2), y: Math.round(at.y - CARD.height / 2) };
    const id = canvas.addNode({ type: "image_generation", position, data: { prompt: "" } });
    canvas.select([id]);
  };
  const addInMiddle = (): void => {
    const jitter = 24 * (nodes.length % 5); // several in a row do not cover one another
    // The card grows downwards when its picture comes: leave it room above the toolbar.
    const room = (PICTURE_HEIGHT * flow.getZoom()) / 2;
    addAt({ x: window.innerWidth / 2 + jitter, y: window.innerHeight / 2 - room + jitter });
  };
  const large = isLarge(nodes);
  const minZoom = large ? FARTHEST.large : FARTHEST.usual;
  const fit = (): void => void flow.fitView({ ...FIT, minZoom });
  const onDoubleClick = (event: MouseEvent): void => {
    const isPane = event.target instanceof Element && event.target.classList.contains("react-flow__pane");
    if (mayEdit && isPane) addAt({ x: event.clientX, y: event.clientY });
  };
  const onPointerMove = ({ clientX, clientY }: PointerEvent): void => {
    const { x, y } = flow.screenToFlowPosition({ x: clientX, y: clientY }, { snapToGrid: false });
    canvas.room.setPresence({ cursor: { x: Math.round(x), y: Math.round(y) } });
  };
  const middle = (): XY => ({ x: window.innerWidth / 2, y: window.innerHeight / 2 });
  const addUpload = (): void => {
    const { x, y } = flow.screenToFlowPosition(middle());
    const position = { x: Math.round(x - CARD.width / 2), y: Math.round(y - CARD.height / 2) };
    canvas.select([canvas.addNode({ type: "image_upload", position, data: {} })]);
  };
  const { isOver, ...drops } = useIncomingPictures(mayEdit, middle);
  useShortcuts({
    "add-image": mayEdit ? addInMiddle : undefined,
    upload: mayEdit ? addUpload : undefined,
    undo: mayEdit ? canvas.undo : undefined,
    redo: mayEdit ? canvas.redo : undefined,
    "fit-view": fit,
    "select-all": () => canvas.select(nodes.map((node) => node.id)),
    help: () => setHelpOpen(true),
  });

  return (
    <>
      <ReactFlow
        nodes={large ? sketched(nodes, edges) : nodes}
        onlyRenderVisibleElements={large}
        edges={edges}
        nodeTypes={nodeTypes}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onConnect={onConnect}
        onReconnect={onReconnect}
        onDelete={onDelete}
        onDoubleClick={onDoubleClick}
        {...drops}
        onPointerMove={onPointerMove}
        onPointerLeave={() => canvas.room.setPresence({ cursor: null })}
        isValidConnection={({ source, target }) => source !== target}
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
        fitViewOptions={{ ...FIT, minZoom }}
        colorMode="system"
        defaultEdgeOptions={EDGE_OPTIONS}
        aria-label="Canvas"
      >
        <Background variant={BackgroundVariant.Dots} gap={20} size={1.5} />
        <Controls showInteractive={false} showFitView={false} position="bottom-left" />
        {nodes.length > 0 && (
          <MiniMap pannable zoomable nodeColor={minimapColor} nodeBorderRadius={12} ariaLabel="Overview of the canvas" />
        )}
        <PeerSelections />
        <Cursors />
      </ReactFlow>
      {nodes.length === 0 && <EmptyCanvas onAdd={addInMiddle} />}
      <Tools onAdd={addInMiddle} onUpload={addUpload} onFit={fit} onHelp={() => setHelpOpen(true)} />
      {isOver && <div className="gallery__drop">Drop pictures to put them here</div>}
      <Lightbox />
      <RunAnnouncer />
      {isHelpOpen && <ShortcutSheet onClose={() => setHelpOpen(false)} />}
    </>
  );
}

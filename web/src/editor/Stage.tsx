import {
  Background,
  BackgroundVariant,
  Controls,
  MiniMap,
  ReactFlow,
  SelectionMode,
  useReactFlow,
  type Node,
  type OnConnectEnd,
} from "@xyflow/react";
import { useMemo, useRef, useState, type MouseEvent, type PointerEvent } from "react";
import type { XY } from "../client";
import type { Kind } from "../nodes/kinds";
import { readPicture } from "../nodes/picture";
import { nodeTypesFor } from "../nodes/registry";
import { useMayEdit, type Easel, type Wire } from "../react";
import { Cursors } from "./Cursors";
import { EmptyCanvas } from "./EmptyCanvas";
import { NodeSearch } from "./NodeSearch";
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
/** Where something is to be put, on the screen, and the wire that was let go there. */
interface Adding {
  at: XY;
  wire?: Wire;
}

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

function wordFor(wire: Wire | undefined): "into" | "out of" | undefined {
  return wire && (wire.end === "source" ? "into" : "out of");
}

export function Stage({ easel }: { easel: Easel }) {
  const { canvas, nodes, edges, onNodesChange, onEdgesChange, onConnect, onReconnect, onDelete } = easel;
  const mayEdit = useMayEdit();
  const flow = useReactFlow();
  const [hadNodes] = useState(nodes.length > 0); // fitting later would tear the first new node from under the pointer
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [adding, setAdding] = useState<Adding | null>(null);
  const pointer = useRef<XY | null>(null);

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
    if (mayEdit && isPane) setAdding({ at: { x: event.clientX, y: event.clientY } });
  };
  const onConnectEnd: OnConnectEnd = (event, { isValid, toNode, fromHandle }) => {
    if (!mayEdit || isValid === true || toNode !== null || fromHandle === null) return;
    const { clientX, clientY } = "changedTouches" in event ? (event.changedTouches[0] ?? { clientX: 0, clientY: 0 }) : event;
    const wire = { nodeId: fromHandle.nodeId, handleId: fromHandle.id, end: fromHandle.type };
    setAdding({ at: { x: clientX, y: clientY }, wire });
  };
  const add = ({ type, record }: Kind): void => {
    if (adding === null) return;
    const { x, y } = flow.screenToFlowPosition(adding.at);
    const left = adding.wire === undefined ? CARD.width / 2 : adding.wire.end === "target" ? CARD.width : 0;
    const position = { x: Math.round(x - left), y: Math.round(y - CARD.height / 2) };
    canvas.select([canvas.addNode({ ...record, type, position }, adding.wire)]);
    setAdding(null);
  };
  const onPointerMove = ({ clientX, clientY }: PointerEvent): void => {
    pointer.current = { x: clientX, y: clientY };
    const { x, y } = flow.screenToFlowPosition({ x: clientX, y: clientY }, { snapToGrid: false });
    canvas.room.setPresence({ cursor: { x: Math.round(x), y: Math.round(y) } });
  };
  const onPointerLeave = (): void => {
    pointer.current = null;
    canvas.room.setPresence({ cursor: null });
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
    "add-node": mayEdit ? () => setAdding({ at: pointer.current ?? middle() }) : undefined,
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
        onConnectEnd={onConnectEnd}
        onDelete={onDelete}
        onDoubleClick={onDoubleClick}
        {...drops}
        onPointerMove={onPointerMove}
        onPointerLeave={onPointerLeave}
        panActivationKeyCode={null} // Space looks for a node; dragging the ground moves around
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
      {adding !== null && (
        <NodeSearch at={adding.at} wire={wordFor(adding.wire)} onPick={add} onClose={() => setAdding(null)} />
      )}
      {isHelpOpen && <ShortcutSheet onClose={() => setHelpOpen(false)} />}
    </>
  );
}

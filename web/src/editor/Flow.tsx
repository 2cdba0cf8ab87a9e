import { ReactFlow, useStore, type ReactFlowProps } from "@xyflow/react";
import { useMemo } from "react";
import { useShallow } from "zustand/react/shallow";
import { nodeTypesFor } from "../nodes/registry";
import { useCanvas, useCanvasState } from "../react";
import { behind } from "./behind";
import { grabbable } from "./grabbable";
import { isLarge, READABLE_FROM, sketched } from "./large";
import { marked, marksOf } from "./marks";

/**
 * React Flow with what is on the canvas. Of all that surrounds it, this alone is drawn again with every move of a node, so
 * whatever it is given should stay the same until then: each prop that changes wakes every node.
 */
export function Flow({ children, ...given }: ReactFlowProps) {
  const { onNodesChange, onEdgesChange, onConnect, onReconnect, onDelete } = useCanvas();
  const nodes = useCanvasState((state) => state.nodes);
  const edges = useCanvasState((state) => state.edges);
  const isFar = useStore(({ transform }) => transform[2] < READABLE_FROM);
  const marks = useCanvasState(useShallow(({ room }) => marksOf(room.peers)));
  const types = [...new Set(nodes.map((node) => node.type ?? "default"))].sort().join("\n");
  const nodeTypes = useMemo(() => nodeTypesFor(types.split("\n")), [types]);
  const large = isLarge(nodes);
  return (
    <ReactFlow
      {...given}
      className={isFar ? "flow--far" : undefined}
      nodes={marked(behind(grabbable(large ? sketched(nodes, edges) : nodes)), marks)}
      edges={edges}
      nodeTypes={nodeTypes}
      onlyRenderVisibleElements={large}
      onNodesChange={onNodesChange}
      onEdgesChange={onEdgesChange}
      onConnect={onConnect}
      onReconnect={onReconnect}
      onDelete={onDelete}
    >
      {children}
    </ReactFlow>
  );
}

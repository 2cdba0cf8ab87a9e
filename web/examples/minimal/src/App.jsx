import { CanvasContext, useEasel } from "@easel/react";
import { ReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { Cursors } from "./Cursors";
import { elsewhere, workflowId } from "./easel";
import { ImageNode } from "./ImageNode";

const nodeTypes = { image_generation: ImageNode };

export default function App() {
  const { canvas, nodes, edges, onNodesChange, onEdgesChange, onConnect, onDelete } = useEasel(workflowId, elsewhere);

  return (
    <CanvasContext value={canvas}>
      <div style={{ width: "100vw", height: "100vh" }}>
        <ReactFlow
          nodes={nodes}
          edges={edges}
          onNodesChange={onNodesChange}
          onEdgesChange={onEdgesChange}
          onConnect={onConnect}
          onDelete={onDelete}
          nodeTypes={nodeTypes}
          fitView
        >
          <Cursors />
        </ReactFlow>
      </div>
    </CanvasContext>
  );
}

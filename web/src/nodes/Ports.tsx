import { Handle, Position, useNodeConnections, useUpdateNodeInternals } from "@xyflow/react";
import { useEffect, useRef } from "react";

/**
 * The places where wires end. Besides the plain ones there is one for each handle that an edge names, so that the
 * wires of an imported flow are drawn even when nobody here knows its node types.
 */
export function Ports({ nodeId }: { nodeId: string }) {
  const incoming = useNodeConnections({ id: nodeId, handleType: "target" });
  const outgoing = useNodeConnections({ id: nodeId, handleType: "source" });
  const targets = named(incoming.map((connection) => connection.targetHandle));
  const sources = named(outgoing.map((connection) => connection.sourceHandle));

  const measure = useUpdateNodeInternals();
  const shape = `${targets.join()}|${sources.join()}`;
  const measured = useRef(shape);
  useEffect(() => {
    if (measured.current === shape) return; // React Flow itself looks when the node appears
    measured.current = shape;
    measure(nodeId);
  }, [measure, nodeId, shape]);

  return (
    <>
      <Handle role="img" type="target" position={Position.Left} aria-label="Input" />
      {targets.map((id, index) => (
        <Handle role="img" key={id} id={id} type="target" position={Position.Left} style={{ top: spread(index, targets.length) }} aria-label={`Input ${id}`} />
      ))}
      <Handle role="img" type="source" position={Position.Right} aria-label="Output" />
      {sources.map((id, index) => (
        <Handle role="img" key={id} id={id} type="source" position={Position.Right} style={{ top: spread(index, sources.length) }} aria-label={`Output ${id}`} />
      ))}
    </>
  );
}

function named(handles: (string | null)[]): string[] {
  return [...new Set(handles.filter((id) => id !== null))].sort();
}

/** Named ports stand below the plain one in the middle. */
function spread(index: number, count: number): string {
  return `${50 + (40 * (index + 1)) / (count + 1)}%`;
}

import { Handle, Position, useNodeConnections, useStore, useUpdateNodeInternals } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { ourType } from "./ours";
import { portsOf, type DataType, type PortRules } from "./ports";

/**
 * The places where wires end, coloured by what goes through; none where nothing goes in or out, but for wires that are there
 * already. Besides the plain ones there is one for each handle that an edge names, so that the
 * wires of an imported flow are drawn even when nobody here knows its node types.
 */
export function Ports({ nodeId }: { nodeId: string }) {
  const incoming = useNodeConnections({ id: nodeId, handleType: "target" });
  const outgoing = useNodeConnections({ id: nodeId, handleType: "source" });
  const targets = named(incoming.map((connection) => connection.targetHandle));
  const sources = named(outgoing.map((connection) => connection.sourceHandle));

  const rules = useStore(({ nodeLookup }) => portsOf(ourType(nodeLookup.get(nodeId))));
  const hasInput = rules?.takes.length !== 0 || incoming.some(({ targetHandle }) => targetHandle === null);
  const hasOutput = rules?.gives !== null || outgoing.some(({ sourceHandle }) => sourceHandle === null);

  const measure = useUpdateNodeInternals();
  const shape = `${targets.join()}|${sources.join()}|${hasInput}|${hasOutput}`;
  const measured = useRef(shape);
  useEffect(() => {
    if (measured.current === shape) return; // React Flow itself looks when the node appears
    measured.current = shape;
    measure(nodeId);
  }, [measure, nodeId, shape]);

  return (
    <>
      {hasInput && <Handle role="img" type="target" position={Position.Left} aria-label="Input" title={takenBy(rules)} className={colourOf(rules?.takes)} />}
      {targets.map((id, index) => (
        <Handle role="img" key={id} id={id} type="target" position={Position.Left} style={{ top: spread(index, targets.length) }} aria-label={`Input ${id}`} />
      ))}
      {hasOutput && <Handle role="img" type="source" position={Position.Right} aria-label="Output" title={rules?.gives ? NAMES[rules.gives] : undefined} className={colourOf(rules?.gives ? [rules.gives] : undefined)} />}
      {sources.map((id, index) => (
        <Handle role="img" key={id} id={id} type="source" position={Position.Right} style={{ top: spread(index, sources.length) }} aria-label={`Output ${id}`} />
      ))}
    </>
  );
}

const NAMES: Record<DataType, string> = { words: "Words", picture: "Pictures" };

function takenBy(rules: PortRules | undefined): string | undefined {
  return rules?.takes.map((type) => NAMES[type]).join(" or ");
}

/** A port that takes both has both colours. */
function colourOf(types: readonly DataType[] | undefined): string | undefined {
  return types && types.length > 0 ? `port--${types.join("-")}` : undefined;
}

function named(handles: (string | null)[]): string[] {
  return [...new Set(handles.filter((id) => id !== null))].sort();
}

/** Named ports stand below the plain one in the middle. */
function spread(index: number, count: number): string {
  return `${50 + (40 * (index + 1)) / (count + 1)}%`;
}

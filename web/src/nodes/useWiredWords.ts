import { useNodeConnections, useNodesData } from "@xyflow/react";

/** What the prompt nodes say that are wired into this node, from the first wire to the last. */
export function useWiredWords(nodeId: string): string[] {
  const wires = useNodeConnections({ id: nodeId, handleType: "target" });
  const sources = useNodesData(wires.map((wire) => wire.source));
  return sources.flatMap(({ type, data }) => (type === "prompt" && typeof data.prompt === "string" && data.prompt.trim() !== "" ? data.prompt.trim() : []));
}

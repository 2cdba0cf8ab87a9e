import { useNodeConnections, useNodesData } from "@xyflow/react";
import { wordsOf } from "./madeWith";
import { readPicture } from "./picture";

export interface Wired {
  /** What the prompt nodes say that are wired into this node, from the first wire to the last. */
  words: string[];
  /** Where the picture is that it starts from: the first one that is wired into it. */
  pictureUrl: string | null;
}

export function useWired(nodeId: string): Wired {
  const wires = useNodeConnections({ id: nodeId, handleType: "target" });
  const sources = useNodesData(wires.map((wire) => wire.source));
  const pictures = sources.flatMap(({ type, data }) => (type === "prompt" ? [] : (readPicture(data).imageUrl ?? [])));
  return { words: wordsOf(sources), pictureUrl: pictures[0] ?? null };
}

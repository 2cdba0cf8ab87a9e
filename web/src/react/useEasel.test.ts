import type { BuiltInEdge, Edge, Node, ReactFlowProps } from "@xyflow/react";
import { expectTypeOf, it } from "vitest";
import type { useEasel } from "./useEasel";

type Prompt = Node<{ prompt: string }, "prompt">;
type Wire = Edge<{ weight: number }> | BuiltInEdge;

it("is typed like React Flow's own hooks", () => {
  type Mine = ReturnType<typeof useEasel<Prompt, Wire>>;
  expectTypeOf<Mine["nodes"]>().toEqualTypeOf<Prompt[]>();
  expectTypeOf<Mine["edges"]>().toEqualTypeOf<Wire[]>();
  type Handlers = "nodes" | "edges" | "onNodesChange" | "onEdgesChange" | "onConnect" | "onReconnect" | "onDelete";
  expectTypeOf<Pick<Mine, Handlers>>().toExtend<Pick<ReactFlowProps<Prompt, Wire>, Handlers>>();
  expectTypeOf<ReturnType<typeof useEasel>["nodes"]>().toEqualTypeOf<Node[]>();
});

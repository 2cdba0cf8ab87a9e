import { createContext, useContext } from "react";
import { useStore } from "zustand";
import type { Run } from "../client";
import type { Canvas, CanvasState } from "./canvas";

export const CanvasContext = createContext<Canvas | null>(null);

export function useCanvas(): Canvas {
  const canvas = useContext(CanvasContext); // `use` would need React 19
  if (canvas === null) throw new Error("useCanvas needs a <CanvasContext> above it.");
  return canvas;
}

export function useCanvasState<T>(select: (state: CanvasState) => T): T {
  return useStore(useCanvas().store, select);
}

export function useRun(nodeId: string): Run | undefined {
  return useCanvasState((state) => state.room.runs[nodeId]);
}

export function useMayEdit(): boolean {
  return useCanvasState(({ room }) => (room.role === "owner" || room.role === "editor") && room.connection !== "stopped");
}

/** Whether one may spend the owner's provider money here; editors may not always. */
export function useMayRun(): boolean {
  const mayEdit = useMayEdit();
  return useCanvasState(({ room }) => room.mayRun) && mayEdit;
}

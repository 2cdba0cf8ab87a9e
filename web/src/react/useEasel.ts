import { useEffect, useMemo } from "react";
import { useStore } from "zustand";
import { Room, roomUrl, type PushError } from "../client";
import { Canvas } from "./canvas";

export interface EaselOptions {
  /** Where Easel lives; the page's own origin unless said otherwise. */
  baseUrl?: string;
  onReject?: (error: PushError) => void;
  onNotice?: (code: string, detail: string) => void;
}

/** Joins a workflow for as long as the component lives. Give the handlers to `<ReactFlow>` as they are. */
export function useEasel(workflowId: string, { baseUrl, onReject, onNotice }: EaselOptions = {}) {
  const canvas = useMemo(() => {
    const url = roomUrl(workflowId, baseUrl ?? window.location.href);
    return new Canvas(new Room({ url, onReject, onNotice }));
  }, [workflowId, baseUrl, onReject, onNotice]);

  useEffect(() => {
    const { room } = canvas;
    const retry = (): void => room.retryNow();
    room.join();
    window.addEventListener("online", retry);
    document.addEventListener("visibilitychange", retry);
    return () => {
      window.removeEventListener("online", retry);
      document.removeEventListener("visibilitychange", retry);
      room.leave();
    };
  }, [canvas]);

  const { nodes, edges, room } = useStore(canvas.store);
  const { onNodesChange, onEdgesChange, onConnect, onDelete } = canvas;
  return { canvas, nodes, edges, ...room, onNodesChange, onEdgesChange, onConnect, onDelete };
}

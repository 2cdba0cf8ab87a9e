import type { Connection, Edge, Node, OnEdgesChange, OnNodesChange } from "@xyflow/react";
import { useEffect, useMemo } from "react";
import { useStore } from "zustand";
import { createHttp, openOutbox, Room, roomUrl, ticketDoor, type GetToken, type PushError, type RoomState } from "../client";
import { Canvas } from "./canvas";

export interface EaselOptions {
  /** Where Easel lives; the page's own origin unless said otherwise. */
  baseUrl?: string;
  /**
   * A token for an Easel of another origin, from your own backend (`POST …/tokens`); asked again when it has expired.
   * Another function is another person: keep it with `useCallback`, or beside the component.
   */
  getToken?: GetToken;
  /** Who is signed in. With it, changes made without a connection survive a reload of the page. */
  accountId?: string;
  onReject?: (error: PushError) => void;
  onNotice?: (code: string, detail: string) => void;
}

type SetList<T> = (next: T[] | ((shown: T[]) => T[])) => void;

export interface Easel<NodeType extends Node = Node, EdgeType extends Edge = Edge> extends RoomState {
  canvas: Canvas;
  nodes: NodeType[];
  edges: EdgeType[];
  setNodes: SetList<NodeType>;
  setEdges: SetList<EdgeType>;
  onNodesChange: OnNodesChange<NodeType>;
  onEdgesChange: OnEdgesChange<EdgeType>;
  onConnect: (connection: Connection) => void;
  onReconnect: (edge: EdgeType, connection: Connection) => void;
  onDelete: (gone: { nodes: NodeType[]; edges: EdgeType[] }) => void;
  undo: () => void;
  redo: () => void;
}

/** Joins a workflow for as long as the component lives, and does not draw it again when something changes there. */
export function useJoinedCanvas(workflowId: string, { baseUrl, getToken, accountId, onReject, onNotice }: EaselOptions = {}): Canvas {
  const canvas = useMemo(() => {
    const url = roomUrl(workflowId, baseUrl ?? window.location.href);
    const outbox = accountId === undefined ? undefined : openOutbox({ workflowId, accountId });
    const http = createHttp({ baseUrl, getToken });
    const door = getToken && ticketDoor(url, http);
    return new Canvas(new Room({ url, outbox, door, onReject, onNotice }), http);
  }, [workflowId, baseUrl, getToken, accountId, onReject, onNotice]);

  useEffect(() => {
    const { room } = canvas;
    const retry = (): void => room.retryNow();
    const warn = (event: BeforeUnloadEvent): void => {
      const { pendingCount, isDurable } = room.getState();
      if (pendingCount > 0 && !isDurable) event.preventDefault();
    };
    room.join();
    window.addEventListener("online", retry);
    document.addEventListener("visibilitychange", retry);
    window.addEventListener("beforeunload", warn);
    return () => {
      window.removeEventListener("beforeunload", warn);
      window.removeEventListener("online", retry);
      document.removeEventListener("visibilitychange", retry);
      room.leave();
    };
  }, [canvas]);
  return canvas;
}

/**
 * Joins a workflow for as long as the component lives, and stands in for `useNodesState` and `useEdgesState`: give the
 * handlers to `<ReactFlow>` as they are. The types of nodes and edges are taken at your word, as React Flow takes them:
 * a document can hold what another program has put there.
 */
export function useEasel<NodeType extends Node = Node, EdgeType extends Edge = Edge>(
  workflowId: string,
  options: EaselOptions = {},
): Easel<NodeType, EdgeType> {
  const canvas = useJoinedCanvas(workflowId, options);
  const { nodes, edges, room } = useStore(canvas.store);
  const { setNodes, setEdges, onNodesChange, onEdgesChange, onConnect, onReconnect, onDelete, undo, redo } = canvas;
  const handlers = { onNodesChange, onEdgesChange, onConnect, onReconnect, onDelete };
  const easel = { canvas, nodes, edges, setNodes, setEdges, ...handlers, undo, redo, ...room };
  return easel as unknown as Easel<NodeType, EdgeType>;
}

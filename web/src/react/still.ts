/** A document that nobody works at: for React Flow and the cards it is a canvas that can be looked at, and no more. */
import { Room, type GraphDocument } from "../client";
import { Canvas } from "./canvas";
import { mergeEdges, mergeNodes } from "./merge";

const NOTHING_HELD = { places: new Set<string>(), sizes: new Set<string>() };

/** It has no connection, so nothing of it is told to anybody. */
export function stillCanvas(document: GraphDocument): Canvas {
  const canvas = new Canvas(new Room({ url: "" }));
  canvas.store.setState(({ room }) => ({
    nodes: mergeNodes(document.nodes, [], new Map(), {}, NOTHING_HELD),
    edges: mergeEdges(document.edges, [], new Map()),
    room: { ...room, document, role: "viewer", isLoaded: true },
  }));
  return canvas;
}

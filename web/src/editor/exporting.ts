import type { Viewport } from "../client";
import { fileNameOf } from "../gallery/saving";
import type { Canvas } from "../react";

/** Saves what everybody has of this canvas as a file that React Flow, Easel and others can read: `toObject()` with a name. */
export function exportCanvas(canvas: Canvas, shown: Viewport): void {
  const { workflow, nodes, edges } = canvas.room.getState().document;
  const content = { name: workflow.name, nodes, edges, viewport: workflow.viewport ?? shown };
  const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${fileNameOf(workflow.name ?? "canvas")}.json`;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // some browsers read it after the click
}

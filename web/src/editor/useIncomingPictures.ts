import { useReactFlow } from "@xyflow/react";
import { useEffect, useRef, useState, type DragEvent } from "react";
import type { XY } from "../client";
import { useCanvas } from "../react";
import { say } from "../ui/toasts";
import { isPicture, TAKEN, titleOf } from "../upload/upload";
import { startUpload } from "../upload/uploads";
import { addCard, plant } from "./edits";
import { NODES, readFragment } from "./fragment";
import { useWorkflowId } from "./workflowId";

const ACROSS = 4;
const STEP = 320; // a card and the room between two

/** Pictures that are dropped on the canvas or pasted: each becomes a node; files are sent from there. */
export function useIncomingPictures(mayEdit: boolean, middle: () => XY) {
  const canvas = useCanvas();
  const workflowId = useWorkflowId();
  const flow = useReactFlow();
  const [isOver, setOver] = useState(false);

  const take = (files: readonly File[], at: XY): void => {
    const pictures = files.filter(isPicture);
    if (pictures.length < files.length) {
      say(pictures.length === 0 ? `Only pictures can be put here: ${TAKEN}.` : "What is no picture was left out.", { tone: "bad" });
    }
    const start = flow.screenToFlowPosition(at);
    const ids = pictures.map((file, index) => {
      const position = { x: Math.round(start.x - 140 + STEP * (index % ACROSS)), y: Math.round(start.y - 90 + STEP * Math.floor(index / ACROSS)) };
      const id = addCard(canvas, { type: "image_upload", position, data: { title: titleOf(file) } });
      startUpload({ id, file, place: { workflowId, nodeId: id }, after: canvas.room.settled() });
      return id;
    });
    if (ids.length > 0) canvas.select(ids);
  };
  const latest = useRef({ take, middle, mayEdit });
  useEffect(() => {
    latest.current = { take, middle, mayEdit };
  });
  useEffect(() => {
    const onPaste = (event: ClipboardEvent): void => {
      const { target } = event;
      if (target instanceof HTMLElement && target.closest("input, textarea, dialog, [contenteditable]")) return;
      const files = [...(event.clipboardData?.files ?? [])].filter(isPicture);
      if (files.length === 0 || !latest.current.mayEdit) return;
      event.preventDefault();
      latest.current.take(files, latest.current.middle());
    };
    window.addEventListener("paste", onPaste);
    return () => window.removeEventListener("paste", onPaste);
  }, []);

  const onDropped = ({ dataTransfer, clientX: x, clientY: y }: DragEvent): void => {
    const fragment = readFragment(dataTransfer.getData(NODES));
    if (fragment !== null) plant(canvas, fragment, flow.screenToFlowPosition({ x, y }));
    else take([...dataTransfer.files], { x, y });
  };
  const hasFiles = (event: DragEvent): boolean => mayEdit && event.dataTransfer.types.includes("Files");
  const hasNodes = (event: DragEvent): boolean => mayEdit && event.dataTransfer.types.includes(NODES);
  return {
    isOver,
    onDragOver: (event: DragEvent) => {
      if (!hasFiles(event) && !hasNodes(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      setOver(hasFiles(event));
    },
    onDragLeave: (event: DragEvent) => {
      if (!(event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget))) setOver(false);
    },
    onDrop: (event: DragEvent) => {
      if (!hasFiles(event) && !hasNodes(event)) return;
      event.preventDefault();
      setOver(false);
      onDropped(event);
    },
  };
}

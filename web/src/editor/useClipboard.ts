import { useReactFlow } from "@xyflow/react";
import { useEffect, useRef } from "react";
import type { XY } from "../client";
import { useCanvas } from "../react";
import { say } from "../ui/toasts";
import { isPicture } from "../upload/upload";
import { addNote, plant, removeSelected, selectedFragment } from "./edits";
import { readFragment, textOf } from "./fragment";
import { isTyping } from "./shortcuts";

const ASIDE = 32; // pasted again at the same place, it does not cover what was pasted before

/** Nodes go out with their wires and come in from any canvas, tab or product; a text that is no flow becomes a note. */
export function useClipboard(mayEdit: boolean, place: () => XY) {
  const canvas = useCanvas();
  const flow = useReactFlow();
  const last = useRef({ text: "", at: { x: NaN, y: NaN }, times: 0 });

  const pasteText = (text: string, screen = place()): void => {
    const { at, times } = last.current;
    const isAgain = last.current.text === text && at.x === screen.x && at.y === screen.y;
    last.current = { text, at: screen, times: isAgain ? times + 1 : 0 };
    const { x, y } = flow.screenToFlowPosition(screen, { snapToGrid: false });
    const spot = { x: x + ASIDE * last.current.times, y: y + ASIDE * last.current.times };
    const fragment = readFragment(text);
    if (fragment !== null) plant(canvas, fragment, spot);
    else if (text.trim() !== "") addNote(canvas, text.trim(), spot);
  };
  const copied = (event: ClipboardEvent): boolean => {
    const fragment = selectedFragment(canvas);
    if (fragment.nodes.length === 0) return false;
    event.preventDefault();
    event.clipboardData?.setData("text/plain", textOf(fragment));
    return true;
  };
  const latest = useRef({ mayEdit, pasteText, copied });
  useEffect(() => {
    latest.current = { mayEdit, pasteText, copied };
  });

  useEffect(() => {
    const isElsewhere = (event: ClipboardEvent): boolean => isTyping(event.target) || window.getSelection()?.isCollapsed === false;
    const onCopy = (event: ClipboardEvent): void => {
      if (!isElsewhere(event)) latest.current.copied(event);
    };
    const onCut = (event: ClipboardEvent): void => {
      if (latest.current.mayEdit && !isElsewhere(event) && latest.current.copied(event)) removeSelected(canvas);
    };
    const onPaste = (event: ClipboardEvent): void => {
      const { clipboardData, target } = event;
      if (clipboardData === null || isTyping(target) || !latest.current.mayEdit) return;
      if ([...clipboardData.files].some(isPicture)) return; // those are put down as pictures
      event.preventDefault();
      latest.current.pasteText(clipboardData.getData("text/plain"));
    };
    window.addEventListener("copy", onCopy);
    window.addEventListener("cut", onCut);
    window.addEventListener("paste", onPaste);
    return () => {
      window.removeEventListener("copy", onCopy);
      window.removeEventListener("cut", onCut);
      window.removeEventListener("paste", onPaste);
    };
  }, [canvas]);

  const clipboard = navigator.clipboard as Clipboard | undefined; // plain HTTP has none
  const refused = (): void => say("The browser does not let this page use the clipboard from a menu. The keyboard may: Ctrl C, Ctrl X, Ctrl V.", { tone: "bad" });
  const write = async (): Promise<boolean> => {
    try {
      if (clipboard === undefined) throw new Error("no clipboard");
      await clipboard.writeText(textOf(selectedFragment(canvas)));
      return true;
    } catch {
      refused();
      return false;
    }
  };
  /** For menus: the browser may ask the person first. */
  return {
    copy: () => void write(),
    cut: () => void write().then((isKept) => isKept && removeSelected(canvas)),
    paste: (at: XY) => {
      if (clipboard === undefined) refused();
      else clipboard.readText().then((text) => pasteText(text, at), refused);
    },
  };
}

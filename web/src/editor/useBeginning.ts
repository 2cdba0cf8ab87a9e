import { useNodesInitialized, useReactFlow } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { useCanvas } from "../react";
import { plant } from "./edits";
import type { Fragment } from "./fragment";
import { middleOfScreen } from "./useAdding";

/** Puts a template onto the canvas and, as soon as its nodes have their sizes, all of it in view. */
export function useBeginning(fit: () => void): (fragment: Fragment) => void {
  const canvas = useCanvas();
  const flow = useReactFlow();
  const isMeasured = useNodesInitialized();
  const latest = useRef({ fit, isWaiting: false });
  useEffect(() => {
    latest.current.fit = fit;
  });
  useEffect(() => {
    if (!isMeasured || !latest.current.isWaiting) return;
    latest.current.isWaiting = false;
    latest.current.fit();
  }, [isMeasured]);
  return (fragment) => {
    latest.current.isWaiting = true;
    plant(canvas, fragment, flow.screenToFlowPosition(middleOfScreen()));
  };
}

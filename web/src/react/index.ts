export { Canvas, type CanvasState } from "./canvas";
export { CanvasContext, useCanvas, useCanvasState, useMayEdit, useMayRun, useRun } from "./context";
export { useEasel, type Easel, type EaselOptions } from "./useEasel";

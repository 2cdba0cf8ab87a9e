export { Canvas, type CanvasState, type Wire } from "./canvas";
export { CanvasContext, useCanvas, useCanvasState, useMayEdit, useMayRun, useRun } from "./context";
export { originOf, type Homes } from "./homes";
export { useEasel, useJoinedCanvas, type Easel, type EaselOptions } from "./useEasel";

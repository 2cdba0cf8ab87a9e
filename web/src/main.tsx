import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@xyflow/react/dist/base.css";
import "./ui/tokens.css";
import "./ui/base.css";
import "./workflows/workflows.css";
import "./editor/editor.css";
import "./nodes/nodes.css";
import { App } from "./App";
import { EndedLink, readRefusal } from "./EndedLink";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root to draw into.");
const refusal = readRefusal();
if (refusal !== null) {
  window.history.replaceState(null, "", "/"); // a link's secret is not for the address bar, nor for the history
  document.title = "Easel";
}
createRoot(root).render(<StrictMode>{refusal === null ? <App /> : <EndedLink {...refusal} />}</StrictMode>);

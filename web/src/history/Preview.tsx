import { Background, BackgroundVariant, Controls, ReactFlow, ReactFlowProvider, type Node } from "@xyflow/react";
import { useEffect, useMemo, useState } from "react";
import { useStore } from "zustand";
import type { Comparison, VersionDocument } from "../client";
import { FARTHEST, isLarge, sketched } from "../editor/large";
import { Lightbox } from "../editor/Lightbox";
import { Overview } from "../editor/Overview";
import { nodeTypesFor } from "../nodes/registry";
import { CanvasContext, useCanvas } from "../react";
import { stillCanvas } from "../react/still";
import { http } from "../session";
import { Button } from "../ui/Button";
import { since } from "../ui/elapsed";
import { sayError } from "../ui/toasts";
import { showVersion } from "./panel";
import { effectOf, marksOf, titleOf } from "./words";

interface PreviewProps {
  version: VersionDocument;
  workflowId: string;
  /** Not for those who only look. */
  onRestore?: (() => Promise<void>) | undefined;
}

const BESIDE_THE_LIST = { top: "150px", bottom: "40px", left: "64px", right: "380px" } as const;
const ABOVE_THE_LIST = { top: "250px", bottom: "52%", x: "20px" } as const; // as history.css has it on a narrow screen
const NARROW_PX = 720;

/** A version in the place of the canvas: to be looked at, with what would come back or change marked. */
export function Preview({ version, workflowId, onRestore }: PreviewProps) {
  const canvas = useMemo(() => stillCanvas({ workflow: {}, nodes: version.nodes, edges: version.edges }), [version]);
  const comparison = useComparison(workflowId, version.version);
  const [isBusy, setBusy] = useState(false);
  const title = titleOf(version);

  const restore = (): void => {
    setBusy(true);
    void onRestore?.().finally(() => setBusy(false));
  };
  return (
    <div className="preview" data-testid="version-preview">
      <CanvasContext value={canvas}>
        <ReactFlowProvider>
          <Still comparison={comparison} label={`The canvas in version “${title}”`} />
          <Lightbox />
        </ReactFlowProvider>
      </CanvasContext>
      <section className="preview__banner" aria-label="Version">
        <p role="status">
          <b>{title}</b>, {since(version.createdAt)}. {comparison !== null && effectOf(comparison)}
        </p>
        {onRestore && (
          <Button look="primary" icon="history" disabled={isBusy} onClick={restore}>
            Restore
          </Button>
        )}
        <Button onClick={() => showVersion(null)}>Back to the canvas</Button>
      </section>
    </div>
  );
}

function useComparison(workflowId: string, version: number): Comparison | null {
  const [comparison, setComparison] = useState<Comparison | null>(null);
  useEffect(() => {
    let isWanted = true;
    http.compareVersion(workflowId, version).then((found) => isWanted && setComparison(found), sayError);
    return () => {
      isWanted = false;
    };
  }, [workflowId, version]);
  return comparison;
}

function Still({ comparison, label }: { comparison: Comparison | null; label: string }) {
  const canvas = useCanvas();
  const { nodes, edges } = useStore(canvas.store);
  const marks = useMemo(() => (comparison === null ? new Map<string, string>() : marksOf(comparison)), [comparison]);
  const marked = useMemo(() => nodes.map((node) => withMark(node, marks.get(node.id))), [nodes, marks]);
  const types = [...new Set(nodes.map((node) => node.type ?? "default"))].sort().join("\n");
  const nodeTypes = useMemo(() => nodeTypesFor(types.split("\n")), [types]);
  const large = isLarge(nodes);
  const minZoom = large ? FARTHEST.large : FARTHEST.usual;
  const padding = window.innerWidth > NARROW_PX ? BESIDE_THE_LIST : ABOVE_THE_LIST;
  return (
    <ReactFlow
      id="version"
      nodes={large ? sketched(marked, edges) : marked}
      edges={edges}
      nodeTypes={nodeTypes}
      onNodesChange={canvas.onNodesChange}
      onlyRenderVisibleElements={large}
      nodesDraggable={false}
      nodesConnectable={false}
      edgesReconnectable={false}
      deleteKeyCode={null}
      panOnScroll
      zoomOnDoubleClick={false}
      minZoom={minZoom}
      maxZoom={3}
      fitView
      fitViewOptions={{ padding, maxZoom: 1, minZoom }}
      colorMode="system"
      aria-label={label}
    >
      <Background id="version" variant={BackgroundVariant.Lines} gap={40} />
      <Controls showInteractive={false} showFitView position="bottom-left" />
      {large && <Overview label="Overview of the version" />}
    </ReactFlow>
  );
}

function withMark(node: Node, mark: string | undefined): Node {
  return mark === undefined ? node : { ...node, className: [node.className, `preview__node--${mark}`].filter(Boolean).join(" ") };
}

import { ReactFlowProvider } from "@xyflow/react";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { useStore } from "zustand";
import { useShallow } from "zustand/react/shallow";
import { EaselError, type PushError } from "../client";
import { closeDrawer, useDrawer } from "../drawer/panel";
import { CanvasContext, useJoinedCanvas, useMayEdit, type CanvasState } from "../react";
import { closeHistory, useHistoryPanel } from "../history/panel";
import { http, useMe } from "../session";
import { Loading } from "../ui/Loading";
import { say } from "../ui/toasts";
import { Closed } from "./Closed";
import { closingOf } from "./closing";
import { Lightbox } from "./Lightbox";
import { Stage } from "./Stage";
import { TopBar } from "./TopBar";
import { WorkflowIdContext } from "./workflowId";

const Drawer = lazy(() => import("../drawer/Drawer"));
const History = lazy(() => import("../history/History"));

const SIGNED_OUT = 4100;
const FORBIDDEN = 4503; // before the first snapshot it says no more than "not here": nobody loses what they never had
const DELETED = 4504;
const HIDDEN = new Set([403, 404]);

/** What decides whether there is a canvas to be seen, and how it is called. */
function standing({ room: { connection, closeCode, isLoaded, document } }: CanvasState) {
  return { connection, closeCode, isLoaded, name: document.workflow.name };
}

export function Editor({ workflowId }: { workflowId: string }) {
  const onReject = useCallback((error: PushError) => {
    say(`Your last change was not saved and has been taken back. ${error.detail}`, { tone: "bad" });
  }, []);
  const onNotice = useCallback((_code: string, detail: string) => {
    if (detail !== "") say(detail);
  }, []);
  const canvas = useJoinedCanvas(workflowId, { accountId: useMe().id, onReject, onNotice });
  const { connection, closeCode, isLoaded, name } = useStore(canvas.store, useShallow(standing));
  const refusal = useRefusal(workflowId, connection === "connecting" && closeCode !== null);

  useEffect(() => {
    document.title = name ? `${name} · Easel` : "Easel";
  }, [name]);

  if (connection === "signed-out" || refusal?.status === 401) return <Closed code={SIGNED_OUT} />;
  if (refusal !== null && HIDDEN.has(refusal.status)) return <Closed code={DELETED} />;
  if (connection === "stopped" && !(isLoaded && staysInView(closeCode))) return <Closed code={isLoaded || closeCode !== FORBIDDEN ? closeCode : DELETED} />;
  return (
    <WorkflowIdContext value={workflowId}>
      <CanvasContext value={canvas}>
        <ReactFlowProvider>
          <div className="editor">
            {isLoaded ? (
              <OpenCanvas workflowId={workflowId} />
            ) : (
              <Loading label={closeCode === null ? "Opening the canvas" : "Waiting for Easel"} />
            )}
          </div>
        </ReactFlowProvider>
      </CanvasContext>
    </WorkflowIdContext>
  );
}

function OpenCanvas({ workflowId }: { workflowId: string }) {
  const { isOpen: hasHistory, shown: version } = useHistoryPanel();
  const isCovered = version !== null;
  const mayEdit = useMayEdit();
  const hasDrawer = useDrawer((state) => state.isOpen) && mayEdit;
  useEffect(() => closeHistory, []);
  useEffect(() => closeDrawer, []);
  return (
    <>
      <Stage isCovered={isCovered} />
      {!isCovered && <Lightbox />}
      <TopBar />
      {hasHistory && (
        <Suspense>
          <History workflowId={workflowId} />
        </Suspense>
      )}
      {hasDrawer && (
        <Suspense>
          <Drawer />
        </Suspense>
      )}
    </>
  );
}

function staysInView(closeCode: number | null): boolean {
  return closingOf(closeCode)?.staysInView === true;
}

/** A socket that is refused at the door gives no reason, so the reason is asked for over HTTP. */
function useRefusal(workflowId: string, isRefused: boolean): EaselError | null {
  const [refusal, setRefusal] = useState<EaselError | null>(null);
  useEffect(() => {
    if (!isRefused) return;
    http.getWorkflow(workflowId).then(
      () => setRefusal(null),
      (reason: unknown) => setRefusal(reason instanceof EaselError ? reason : null),
    );
  }, [workflowId, isRefused]);
  return refusal;
}

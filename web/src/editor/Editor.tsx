import { ReactFlowProvider } from "@xyflow/react";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { EaselError, type PushError } from "../client";
import { CanvasContext, useEasel, type Easel } from "../react";
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

const History = lazy(() => import("../history/History"));

const SIGNED_OUT = 4100;
const FORBIDDEN = 4503; // before the first snapshot it says no more than "not here": nobody loses what they never had
const DELETED = 4504;
const HIDDEN = new Set([403, 404]);

export function Editor({ workflowId }: { workflowId: string }) {
  const onReject = useCallback((error: PushError) => {
    say(`Your last change was not saved and has been taken back. ${error.detail}`, { tone: "bad" });
  }, []);
  const onNotice = useCallback((_code: string, detail: string) => {
    if (detail !== "") say(detail);
  }, []);
  const easel = useEasel(workflowId, { accountId: useMe().id, onReject, onNotice });
  const { connection, closeCode, isLoaded } = easel;
  const refusal = useRefusal(workflowId, connection === "connecting" && closeCode !== null);
  const name = easel.document.workflow.name;

  useEffect(() => {
    document.title = name ? `${name} · Easel` : "Easel";
  }, [name]);

  if (connection === "signed-out" || refusal?.status === 401) return <Closed code={SIGNED_OUT} />;
  if (refusal !== null && HIDDEN.has(refusal.status)) return <Closed code={DELETED} />;
  if (connection === "stopped" && !staysInView(easel)) return <Closed code={isLoaded || closeCode !== FORBIDDEN ? closeCode : DELETED} />;
  return (
    <WorkflowIdContext value={workflowId}>
      <CanvasContext value={easel.canvas}>
        <ReactFlowProvider>
          <div className="editor">
            {isLoaded ? (
              <OpenCanvas easel={easel} workflowId={workflowId} />
            ) : (
              <Loading label={closeCode === null ? "Opening the canvas" : "Waiting for Easel"} />
            )}
          </div>
        </ReactFlowProvider>
      </CanvasContext>
    </WorkflowIdContext>
  );
}

function OpenCanvas({ easel, workflowId }: { easel: Easel; workflowId: string }) {
  const { isOpen: hasHistory, shown: version } = useHistoryPanel();
  const isCovered = version !== null;
  useEffect(() => closeHistory, []);
  return (
    <>
      <Stage easel={easel} isCovered={isCovered} />
      {!isCovered && <Lightbox />}
      <TopBar />
      {hasHistory && (
        <Suspense>
          <History workflowId={workflowId} />
        </Suspense>
      )}
    </>
  );
}

function staysInView({ isLoaded, closeCode }: Easel): boolean {
  return isLoaded && closingOf(closeCode)?.staysInView === true;
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

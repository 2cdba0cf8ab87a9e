import { lazy, Suspense, useState } from "react";
import { Bell } from "../account/Bell";
import { useCanvas, useCanvasState, useMayEdit } from "../react";
import { closeHistory, openHistory, useHistoryPanel } from "../history/panel";
import { followLink } from "../route";
import { Button } from "../ui/Button";
import { EditableText } from "../ui/EditableText";
import { Icon } from "../ui/Icon";
import { say, sayError } from "../ui/toasts";
import { ConnectionPill } from "./ConnectionPill";
import { People } from "./People";
import { useWorkflowId } from "./workflowId";

const ShareDialog = lazy(() => import("../sharing/ShareDialog"));

function copyLink(): void {
  navigator.clipboard.writeText(window.location.href).then(() => say("Link copied. It opens for people who have access."), sayError);
}

export function TopBar() {
  const canvas = useCanvas();
  const mayEdit = useMayEdit();
  const workflowId = useWorkflowId();
  const isOwner = useCanvasState((state) => state.room.role === "owner");
  const hasHistory = useHistoryPanel((state) => state.isOpen);
  const [isSharing, setSharing] = useState(false);
  const name = useCanvasState((state) => state.room.document.workflow.name ?? "");
  const rename = (next: string): void => void canvas.room.push([{ op: "workflow", set: { "/name": next } }]);
  return (
    <>
      <div className="bar bar--left">
        <a className="button button--ghost button--icon" href="/" aria-label="All canvases" title="All canvases" onClick={followLink}>
          <Icon name="back" />
        </a>
        <a className="button button--ghost button--icon" href="/renders" aria-label="My renders" title="My renders" onClick={followLink}>
          <Icon name="gallery" />
        </a>
        <EditableText label="Canvas name" value={name} readOnly={!mayEdit} onCommit={rename} />
        {!mayEdit && (
          <span className="pill" title="You can look around and see others work, but not change anything.">
            <Icon name="eye" />
            View only
          </span>
        )}
      </div>
      <div className="bar bar--right">
        <ConnectionPill />
        <People />
        <Bell />
        <Button look="ghost" icon="history" aria-label="Version history (H)" data-testid="history" aria-expanded={hasHistory} onClick={hasHistory ? closeHistory : openHistory} />
        <Button look="ghost" icon="link" aria-label="Copy link" onClick={copyLink} />
        <Button look={isOwner ? "primary" : "plain"} icon="people" data-testid="share" onClick={() => setSharing(true)}>
          {isOwner ? "Share" : "People"}
        </Button>
      </div>
      {isSharing && (
        <Suspense>
          <ShareDialog workflowId={workflowId} onClose={() => setSharing(false)} />
        </Suspense>
      )}
    </>
  );
}

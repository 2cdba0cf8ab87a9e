import { useCanvasState } from "../react";
import { navigate } from "../route";
import { http, useMe } from "../session";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { say, sayError } from "../ui/toasts";
import { InviteForm } from "./InviteForm";
import { MemberList } from "./MemberList";
import "./sharing.css";
import { ShareLinks } from "./ShareLinks";
import { useMembers } from "./useMembers";

export default function ShareDialog({ workflowId, onClose }: { workflowId: string; onClose: () => void }) {
  const me = useMe();
  const name = useCanvasState(({ room }) => room.document.workflow.name ?? "");
  const isOwner = useCanvasState(({ room }) => room.role === "owner");
  const members = useMembers(workflowId);
  const title = isOwner ? `Share “${name}”` : `People in “${name}”`;

  const leave = (): void => {
    http.removeMember(workflowId, me.id).then(() => {
      navigate("/");
      say(`You have left “${name}”. Its owner can let you in again.`);
    }, sayError);
  };
  return (
    <Dialog label={title} className="dialog share" data-testid="share-dialog" onClose={onClose}>
      <header className="sheet__head">
        <h2 className="share__title">{title}</h2>
        <Button look="ghost" icon="close" aria-label="Close" onClick={onClose} />
      </header>
      <div className="share__body">
        {isOwner && <InviteForm workflowId={workflowId} onInvited={members.reload} />}
        <section className="share__part">
          {isOwner && <h3>People with access</h3>}
          <MemberList members={members} isOwner={isOwner} onLeave={leave} />
          {!isOwner && <p className="share__hint">The owner decides who may come in, and who may edit.</p>}
        </section>
        {isOwner && <ShareLinks workflowId={workflowId} onRevoked={members.reload} />}
      </div>
    </Dialog>
  );
}

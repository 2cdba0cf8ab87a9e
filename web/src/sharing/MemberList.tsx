import type { Member } from "../client";
import { Avatar } from "../editor/Avatar";
import { useCanvasState } from "../react";
import { useMe } from "../session";
import { Button } from "../ui/Button";
import { Loading } from "../ui/Loading";
import { GRANTS, grantOf, roleLabel } from "./roles";
import type { useMembers } from "./useMembers";

interface MemberListProps {
  members: ReturnType<typeof useMembers>;
  isOwner: boolean;
  onLeave: () => void;
}

export function MemberList({ members: { members, failure, reload, setRole, remove }, isOwner, onLeave }: MemberListProps) {
  const me = useMe();
  const peers = useCanvasState(({ room }) => room.peers);
  const here = new Set(Object.values(peers).map(({ user }) => user?.id));
  if (failure !== null && members === null) {
    return (
      <div className="share__failure" role="alert">
        <p>{failure.message}</p>
        <Button onClick={reload}>Try again</Button>
      </div>
    );
  }
  if (members === null) return <Loading label="Loading people" />;
  return (
    <ul className="share__list" aria-label="People with access">
      {members.map((member) => {
        const isMe = member.accountId === me.id;
        const isHere = isMe || here.has(member.accountId);
        return (
          <li key={member.accountId} className="member" data-testid="member">
            <Avatar user={isMe ? me : member} />
            <span className="member__name">
              {isMe ? `${me.name} (you)` : member.name}
              {isHere && !isMe && <span className="member__here">here now</span>}
            </span>
            {isOwner && member.role !== "owner" ? (
              <MemberActions member={member} setRole={setRole} remove={remove} />
            ) : (
              <span className="member__role">{roleLabel(member)}</span>
            )}
            {isMe && !isOwner && <Button onClick={onLeave}>Leave</Button>}
          </li>
        );
      })}
    </ul>
  );
}

type ActionsProps = { member: Member } & Pick<ReturnType<typeof useMembers>, "setRole" | "remove">;

function MemberActions({ member, setRole, remove }: ActionsProps) {
  if (member.role === "owner") return null;
  const now = grantOf({ role: member.role, mayRun: member.mayRun });
  return (
    <>
      <select
        className="field share__grant"
        aria-label={`What ${member.name} may do`}
        value={now}
        onChange={(event) => setRole(member, event.currentTarget.value === "viewer" ? "viewer" : "editor")}
      >
        <option value="viewer">{GRANTS.viewer.label}</option>
        {now === "editor" && <option value="editor">{GRANTS.editor.label}</option>}
        <option value="maker">{GRANTS.maker.label}</option>
      </select>
      <Button look="ghost" icon="close" aria-label={`Remove ${member.name}`} onClick={() => remove(member)} />
    </>
  );
}

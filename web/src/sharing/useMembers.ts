import { useCallback, useEffect, useState } from "react";
import type { GivenRole, Member } from "../client";
import { http } from "../session";
import { say, sayError } from "../ui/toasts";
import { useHere } from "./useHere";

interface Members {
  members: readonly Member[] | null;
  failure: Error | null;
  reload: () => void;
  setRole: (member: Member, role: GivenRole) => void;
  remove: (member: Member) => void;
}

/** Who has a role here; looked at again whenever somebody comes or goes. */
export function useMembers(workflowId: string): Members {
  const here = useHere();
  const [members, setMembers] = useState<readonly Member[] | null>(null);
  const [failure, setFailure] = useState<Error | null>(null);

  const reload = useCallback(() => {
    http.listMembers(workflowId).then(({ items }) => {
      setMembers(items);
      setFailure(null);
    }, setFailure);
  }, [workflowId]);

  useEffect(reload, [reload, here]);

  const setRole = (member: Member, role: GivenRole): void => {
    http.setMember(workflowId, member.accountId, role).catch(sayError).finally(reload);
  };
  const remove = (member: Member): void => {
    const { accountId, name, role } = member;
    http.removeMember(workflowId, accountId).then(() => {
      say(`${name} no longer has access.`, role === "owner" ? {} : { action: { label: "Undo", run: () => setRole(member, role) } });
    }, sayError).finally(reload);
  };
  return { members, failure, reload, setRole, remove };
}

import { useState, type SyntheticEvent } from "react";
import type { GivenRole } from "../client";
import { http } from "../session";
import { Button } from "../ui/Button";
import { sayError } from "../ui/toasts";
import { CopyField } from "./CopyField";
import { GRANTS } from "./roles";

const LONGEST_NAME = 80;

/** For one person with a name of their own: an account, and the link that signs them in. */
export function InviteForm({ workflowId, onInvited }: { workflowId: string; onInvited: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<GivenRole>("editor");
  const [isBusy, setBusy] = useState(false);
  const [made, setMade] = useState<{ name: string; url: string } | null>(null);

  const invite = (event: SyntheticEvent): void => {
    event.preventDefault();
    const wanted = name.trim();
    if (wanted === "" || isBusy) return;
    setBusy(true);
    http.invite(workflowId, wanted, role).then(({ url }) => {
      setMade({ name: wanted, url });
      setName("");
      onInvited();
    }, sayError).finally(() => setBusy(false));
  };
  return (
    <section className="share__part" aria-label="Invite a person">
      <form className="share__row" onSubmit={invite}>
        <input
          className="field share__name"
          aria-label="Name of the person"
          placeholder="Invite by name"
          maxLength={LONGEST_NAME}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <select
          className="field share__grant"
          aria-label="What the person may do"
          value={role}
          onChange={(event) => setRole(event.currentTarget.value === "viewer" ? "viewer" : "editor")}
        >
          <option value="editor">{GRANTS.maker.label}</option>
          <option value="viewer">{GRANTS.viewer.label}</option>
        </select>
        <Button type="submit" look="primary" disabled={name.trim() === "" || isBusy}>
          Invite
        </Button>
      </form>
      {made && (
        <div className="share__made" role="status" data-testid="invitation">
          <CopyField label={`Login link for ${made.name}`} value={made.url} />
          <p className="share__hint">Send it to {made.name} alone: it signs in one browser, once, within 24 hours.</p>
        </div>
      )}
    </section>
  );
}

import { useCallback, useEffect, useState, type SyntheticEvent } from "react";
import type { ShareLink } from "../client";
import { http } from "../session";
import { Button } from "../ui/Button";
import { since } from "../ui/elapsed";
import { Icon } from "../ui/Icon";
import { say, sayError } from "../ui/toasts";
import { CopyField } from "./CopyField";
import { expiryOf, LIFETIMES } from "./expiry";
import { GRANTS, grantOf, type GrantName } from "./roles";
import { useHere } from "./useHere";

interface ShareLinksProps {
  workflowId: string;
  /** Those who came through a revoked link are no members any more. */
  onRevoked: () => void;
}

/** Links for anyone who has them, until they expire or are revoked. */
export function ShareLinks({ workflowId, onRevoked }: ShareLinksProps) {
  const here = useHere();
  const [links, setLinks] = useState<readonly ShareLink[]>([]);
  const [grant, setGrant] = useState<GrantName>("viewer");
  const [days, setDays] = useState(7);
  const [isBusy, setBusy] = useState(false);

  const load = useCallback(() => {
    http.listShares(workflowId).then(({ items }) => setLinks(items), sayError);
  }, [workflowId]);
  useEffect(load, [load, here]);

  const create = (event: SyntheticEvent): void => {
    event.preventDefault();
    const { role, mayRun } = GRANTS[grant];
    setBusy(true);
    http
      .createShare(workflowId, { role, mayRun, expiresAt: expiryOf(days) })
      .then((link) => setLinks((known) => [link, ...known]), sayError)
      .finally(() => setBusy(false));
  };
  const revoke = (link: ShareLink): void => {
    http.revokeShare(workflowId, link.id).then(() => {
      say("The link is revoked. Who came through it is out, unless they have access otherwise.");
      onRevoked();
    }, sayError).finally(load);
  };
  return (
    <section className="share__part" aria-label="Share links">
      <h3>Share links</h3>
      <form className="share__row" onSubmit={create}>
        <span className="share__lead">Anyone with the link</span>
        <select
          className="field share__grant"
          aria-label="What the link gives"
          value={grant}
          onChange={(event) => setGrant(event.currentTarget.value as GrantName)}
        >
          {Object.entries(GRANTS).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
        <select className="field" aria-label="How long the link works" value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>
          {LIFETIMES.map((lifetime) => (
            <option key={lifetime.days} value={lifetime.days}>
              {lifetime.label}
            </option>
          ))}
        </select>
        <Button type="submit" icon="link" disabled={isBusy}>
          Create link
        </Button>
      </form>
      {GRANTS[grant].mayRun && <p className="share__hint">Generating spends the money of your provider keys. Give such a link to people you trust.</p>}
      <ul className="share__list" aria-label="Links">
        {links.map((link) => (
          <Link key={link.id} link={link} onRevoke={() => revoke(link)} />
        ))}
      </ul>
    </section>
  );
}

function Link({ link, onRevoke }: { link: ShareLink; onRevoke: () => void }) {
  const [isSure, setSure] = useState(false);
  const { guests, expiresAt } = link;
  const came = guests === 0 ? "Nobody has come through it yet" : `${guests} came through it`;
  return (
    <li className="link" data-testid="share-link">
      <div className="link__head">
        <Icon name={link.role === "viewer" ? "eye" : "pencil"} />
        <span className="link__text">
          <strong>{GRANTS[grantOf(link)].label}</strong>
          <span>
            {came} · {expiresAt === null ? "works until revoked" : <time dateTime={expiresAt}>{`expires ${since(expiresAt)}`}</time>}
          </span>
        </span>
        {isSure ? (
          <Button className="button--danger" autoFocus onBlur={() => setSure(false)} onClick={onRevoke}>
            {guests === 0 ? "Revoke it" : `Revoke it, put ${guests} out`}
          </Button>
        ) : (
          <Button look="ghost" onClick={() => setSure(true)}>
            Revoke
          </Button>
        )}
      </div>
      <CopyField label="Share link" value={link.url} />
    </li>
  );
}

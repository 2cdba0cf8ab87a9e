import { useState, type MouseEvent } from "react";
import { useAccountMenu } from "../account/useAccountMenu";
import type { User, XY } from "../client";
import { useCanvas, useCanvasState } from "../react";
import { useMe } from "../session";
import { isNameless } from "../sharing/YourName";
import { Button } from "../ui/Button";
import { Menu } from "../ui/Menu";
import { initialsOf } from "./Avatar";
import { follow, stopFollowing, useFollowing } from "./following";

const SHOWN = 5;
const GAP = 10; // from the bar to what it opens

/** Everyone who has this canvas open, each once however many tabs they have; you come last. */
export function People() {
  const me = useMe();
  const { room } = useCanvas();
  const peers = useCanvasState((state) => state.room.peers);
  const followed = useFollowing((state) => state.userId);
  const account = useAccountMenu(() => room.reconnect());
  const [menuAt, setMenuAt] = useState<XY | null>(null);
  const others = new Map<string, User>();
  for (const { user } of Object.values(peers)) if (user && user.id !== me.id) others.set(user.id, user);
  const people = [...others.values()];
  const hidden = people.slice(SHOWN);
  const openMenu = ({ currentTarget }: MouseEvent): void => {
    const { left, bottom } = currentTarget.getBoundingClientRect();
    setMenuAt({ x: left, y: bottom + GAP });
  };
  return (
    <>
      <ul className="people" aria-label="People here">
        {people.slice(0, SHOWN).map((user) => (
          <li key={user.id} className="avatar" data-testid="presence-avatar" style={{ background: user.color }}>
            <button
              type="button"
              className="avatar__button"
              title={`${user.name}: follow`}
              aria-label={`Follow ${user.name}`}
              aria-pressed={user.id === followed}
              onClick={() => (user.id === followed ? void stopFollowing() : follow(user.id))}
            >
              {initialsOf(user.name)}
            </button>
          </li>
        ))}
        {hidden.length > 0 && (
          <li className="avatar avatar--more" title={hidden.map((user) => user.name).join(", ")}>
            +{hidden.length}
          </li>
        )}
        <li className="avatar" data-testid="presence-avatar" style={{ background: me.color }}>
          <button type="button" className="avatar__button" title={`${me.name} (you)`} aria-label={`${me.name} (you): your account`} aria-haspopup="menu" onClick={openMenu}>
            {initialsOf(me.name)}
          </button>
        </li>
      </ul>
      {isNameless(me) && <Button onClick={account.rename}>Say who you are</Button>}
      {menuAt !== null && <Menu label="Your account" at={menuAt} items={account.items} onClose={() => setMenuAt(null)} />}
      {account.dialog}
    </>
  );
}

import { useState } from "react";
import type { User } from "../client";
import { useCanvas, useCanvasState } from "../react";
import { useMe } from "../session";
import { isNameless, YourName } from "../sharing/YourName";
import { Button } from "../ui/Button";
import { initialsOf } from "./Avatar";
import { follow, stopFollowing, useFollowing } from "./following";

const SHOWN = 5;

/** Everyone who has this canvas open, each once however many tabs they have; you come last. */
export function People() {
  const me = useMe();
  const { room } = useCanvas();
  const peers = useCanvasState((state) => state.room.peers);
  const followed = useFollowing((state) => state.userId);
  const [isNaming, setNaming] = useState(false);
  const others = new Map<string, User>();
  for (const { user } of Object.values(peers)) if (user && user.id !== me.id) others.set(user.id, user);
  const people = [...others.values()];
  const hidden = people.slice(SHOWN);
  const rename = (): void => setNaming(true);
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
          <button type="button" className="avatar__button" title={`${me.name} (you)`} aria-label={`${me.name} (you): change your name`} onClick={rename}>
            {initialsOf(me.name)}
          </button>
        </li>
      </ul>
      {isNameless(me) && <Button onClick={rename}>Say who you are</Button>}
      {isNaming && <YourName onClose={() => setNaming(false)} onRenamed={() => room.reconnect()} />}
    </>
  );
}

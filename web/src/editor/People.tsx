import type { User } from "../client";
import { useCanvasState } from "../react";
import { useMe } from "../session";

const SHOWN = 5;

/** Everyone who has this canvas open, each once however many tabs they have; you come last. */
export function People() {
  const me = useMe();
  const peers = useCanvasState((state) => state.room.peers);
  const others = new Map<string, User>();
  for (const { user } of Object.values(peers)) if (user && user.id !== me.id) others.set(user.id, user);
  const people = [...others.values()];
  const hidden = people.slice(SHOWN);
  return (
    <ul className="people" aria-label="People here">
      {people.slice(0, SHOWN).map((user) => (
        <Avatar key={user.id} user={user} label={user.name} />
      ))}
      {hidden.length > 0 && (
        <li className="avatar avatar--more" title={hidden.map((user) => user.name).join(", ")}>
          +{hidden.length}
        </li>
      )}
      <Avatar user={me} label={`${me.name} (you)`} />
    </ul>
  );
}

function Avatar({ user, label }: { user: User; label: string }) {
  const initials = user.name.split(/\s+/).slice(0, 2).map((word) => word.slice(0, 1)).join("");
  return (
    <li className="avatar" data-testid="presence-avatar" style={{ background: user.color }} title={label} aria-label={label}>
      {initials.toUpperCase()}
    </li>
  );
}

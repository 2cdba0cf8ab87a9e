import type { User } from "../client";

export function initialsOf(name: string): string {
  return name.split(/\s+/).slice(0, 2).map((word) => Array.from(word)[0] ?? "").join("").toUpperCase();
}

export function Avatar({ user }: { user: Pick<User, "name" | "color"> }) {
  return (
    <span className="avatar" style={{ background: user.color }} aria-hidden="true">
      {initialsOf(user.name)}
    </span>
  );
}

/** What the page calls each thing that a person or a link can be given. */
import type { GivenRole, Member } from "../client";

export interface Grant {
  role: GivenRole;
  mayRun: boolean;
}

export const GRANTS = {
  viewer: { label: "Can view", role: "viewer", mayRun: false },
  editor: { label: "Can edit", role: "editor", mayRun: false },
  maker: { label: "Can edit and generate", role: "editor", mayRun: true },
} as const satisfies Record<string, Grant & { label: string }>;

export type GrantName = keyof typeof GRANTS;

export function grantOf({ role, mayRun }: Grant): GrantName {
  if (role === "viewer") return "viewer";
  return mayRun ? "maker" : "editor";
}

export function roleLabel({ role, mayRun }: Pick<Member, "role" | "mayRun">): string {
  return role === "owner" ? "Owner" : GRANTS[grantOf({ role, mayRun })].label;
}

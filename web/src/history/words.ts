/** How versions and their differences are called. */
import type { Comparison, Version } from "../client";

export function titleOf({ name, kind }: Pick<Version, "name" | "kind">): string {
  if (name !== null) return name;
  return { auto: "Kept by itself", named: "Kept by hand", restore: "Before a restore" }[kind];
}

/** Those that somebody made or named go when somebody says so; the others go by themselves. */
export function isKeptForEver({ name, kind }: Pick<Version, "name" | "kind">): boolean {
  return name !== null || kind === "named";
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1) ?? ""}`;
}

/** What a restore would do to the canvas, in a sentence. `comparison` leads from the version to the canvas as it is now. */
export function effectOf({ nodes, edges, viewport }: Comparison): string {
  const parts = [
    ...part([nodes.removed.length, "node"], [edges.removed.length, "wire"], ["comes", "come"], "back"),
    ...part([nodes.added.length, "node"], [edges.added.length, "wire"], ["goes", "go"], "away"),
    ...part([nodes.changed.length, "node"], [edges.changed.length, "wire"], ["changes", "change"], ""),
  ];
  if (parts.length > 0) return `If it is restored, ${listed(parts)}.`;
  return viewport ? "Only the saved view is another one." : "The canvas is like this now.";
}

function part(one: [number, string], other: [number, string], [is, are]: [string, string], where: string): string[] {
  const counts = [one, other].filter(([count]) => count > 0);
  if (counts.length === 0) return [];
  const verb = counts.length === 1 && counts[0]?.[0] === 1 ? is : are;
  return [`${counts.map(([count, noun]) => counted(count, noun)).join(" and ")} ${verb} ${where}`.trim()];
}

/** Nodes that are not on the canvas now, and those that look another way there, by id. */
export function marksOf({ nodes }: Comparison): ReadonlyMap<string, "back" | "changed"> {
  return new Map([
    ...nodes.removed.map((id) => [id, "back"] as const),
    ...nodes.changed.map(({ id }) => [id, "changed"] as const),
  ]);
}

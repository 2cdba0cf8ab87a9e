/** How long a link lets people in. */
const DAY_MS = 86_400_000;

export const LIFETIMES = [
  { days: 1, label: "For a day" },
  { days: 7, label: "For a week" },
  { days: 30, label: "For 30 days" },
  { days: 0, label: "Until revoked" },
] as const;

/** ISO; null for 0: until it is revoked. */
export function expiryOf(days: number, now = Date.now()): string | null {
  return days === 0 ? null : new Date(now + days * DAY_MS).toISOString();
}

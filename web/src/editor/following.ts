import { create } from "zustand";
import type { Peers, Presence, User, Viewport } from "../client";

/** Whose view this screen's goes along with. */
export const useFollowing = create<{ userId: string | null }>(() => ({ userId: null }));

export function follow(userId: string): void {
  useFollowing.setState({ userId });
}

/** Answers whether there was anybody to stop following. */
export function stopFollowing(): boolean {
  const wasFollowing = useFollowing.getState().userId !== null;
  if (wasFollowing) useFollowing.setState({ userId: null });
  return wasFollowing;
}

interface Leader {
  user: User;
  /** Unknown until they have shown it. */
  viewport: Viewport | undefined;
}

/** Of somebody's tabs, the one with the pointer in it; null when they are not here. */
export function leaderOf(peers: Peers, userId: string): Leader | null {
  const sessions = Object.values(peers).filter(({ user }) => user?.id === userId);
  const rank = ({ cursor, viewport }: Presence): number => (viewport ? 2 : 0) + (cursor ? 1 : 0);
  const best = sessions.reduce<Presence | undefined>((found, each) => (found === undefined || rank(each) > rank(found) ? each : found), undefined);
  return best?.user === undefined ? null : { user: best.user, viewport: best.viewport };
}

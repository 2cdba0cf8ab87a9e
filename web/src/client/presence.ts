import type { Presence, PresencePatch, Transaction } from "./types";

export type Peers = Readonly<Record<string, Presence>>;

function patched(current: Presence, patch: PresencePatch): Presence {
  return Object.fromEntries(Object.entries({ ...current, ...patch }).filter(([, value]) => value !== null));
}

/** Merges a frame into who is here; peers that did not change keep their identity. */
export function mergePeers(peers: Peers, changed: Record<string, PresencePatch> = {}, left: readonly string[] = []): Peers {
  if (Object.keys(changed).length === 0 && left.length === 0) return peers;
  const next: Record<string, Presence> = { ...peers };
  for (const [session, patch] of Object.entries(changed)) next[session] = patched(next[session] ?? {}, patch);
  return Object.fromEntries(Object.entries(next).filter(([session]) => !left.includes(session)));
}

/** The others after these commits: what somebody has put down is not held any more. */
export function endDragsOf(peers: Peers, transactions: readonly Transaction[]): Peers {
  return transactions.reduce((current, { by, ops }) => {
    const moved = ops.flatMap((op) => (op.op === "update" && op.set && "/position" in op.set ? op.id : []));
    return moved.length > 0 ? endDrags(current, by.userId, moved) : current;
  }, peers);
}

/**
 * What `user` was holding of these nodes it has put down: its commit is here before the frame that says so, and until then
 * an old place would be believed to be a new one.
 */
function endDrags(peers: Peers, userId: string, moved: readonly string[]): Peers {
  const ended = Object.entries(peers).flatMap(([session, { user, drag }]): [string, PresencePatch][] => {
    if (user?.id !== userId || drag === undefined || !moved.some((id) => id in drag)) return [];
    const left = Object.entries(drag).filter(([id]) => !moved.includes(id));
    return [[session, { drag: left.length > 0 ? Object.fromEntries(left) : null }]];
  });
  return mergePeers(peers, Object.fromEntries(ended));
}

const SEND_EVERY_MS = 33; // one server tick; what comes in between is merged

/** Collects what this tab shows of itself, sends the newest value of each key once a tick, and can say it all again. */
export class PresenceSender {
  private shown: Presence = {};
  private waiting: PresencePatch = {};
  private timer: ReturnType<typeof setTimeout> | null = null;
  private lastSentAt = -Infinity;

  constructor(private readonly send: (patch: PresencePatch) => void) {}

  set(patch: PresencePatch): void {
    this.shown = patched(this.shown, patch);
    this.waiting = { ...this.waiting, ...patch };
    if (this.timer !== null) return;
    const wait = Math.max(0, this.lastSentAt + SEND_EVERY_MS - Date.now());
    if (wait === 0) this.flush();
    else this.timer = setTimeout(() => this.flush(), wait);
  }

  /** Sends what is waiting before anything else goes out: after a push it would come too late to be true. */
  hurry(): void {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.flush();
  }

  /** After a reconnect the server knows nothing of this session. */
  repeat(): void {
    if (Object.keys(this.shown).length > 0) this.send(this.shown);
    this.waiting = {};
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private flush(): void {
    this.timer = null;
    const patch = this.waiting;
    this.waiting = {};
    this.lastSentAt = Date.now();
    this.send(patch);
  }
}

/** A clock that stands still until it is told the time, in the place of the real one. */

interface Timer {
  at: number;
  every: number | null;
  act: () => void;
}

const timers = new Map<number, Timer>();
let now = 0;
let lastId = 0;

function start(act: () => void, wait: number, isRepeated: boolean): number {
  timers.set(++lastId, { at: now + wait, every: isRepeated ? wait : null, act });
  return lastId;
}

export function install(): void {
  Date.now = () => now;
  Object.assign(globalThis, {
    setTimeout: (act: () => void, wait = 0) => start(act, wait, false),
    setInterval: (act: () => void, wait = 0) => start(act, wait, true),
    clearTimeout: (id: number) => timers.delete(id),
    clearInterval: (id: number) => timers.delete(id),
  });
}

/** When the next timer is due; null when none runs. */
export function nextAt(): number | null {
  return timers.size === 0 ? null : Math.min(...[...timers.values()].map(({ at }) => at));
}

/** Lets time go on; `settle` is awaited after each timer, so that what it has begun comes before the next one. */
export async function advance(to: number, settle: () => Promise<void>): Promise<void> {
  for (let at = nextAt(); at !== null && at <= to; at = nextAt()) {
    const due = [...timers].find(([, timer]) => timer.at === at);
    if (due === undefined) break;
    const [id, timer] = due;
    now = Math.max(now, at);
    if (timer.every === null) timers.delete(id);
    else timer.at += timer.every;
    timer.act();
    await settle();
  }
  now = Math.max(now, to);
}

export function reset(): void {
  timers.clear();
  now = 0;
}

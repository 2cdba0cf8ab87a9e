/**
 * The client in the hands of the Python simulator (`tests/simulation/page.py`): a JSON line in says what happens to
 * which tab and what time it is, a JSON line out says what the tabs did about it.
 */
import { createInterface } from "node:readline";
import { apply, MemoryShelf, type GraphDocument, type Op } from "../client";
import { advance, install, nextAt, reset } from "./clock";
import { Page, type Deed } from "./page";
import { BUGS } from "./planted";

type PageCommand =
  | { do: "crash" }
  | { do: "resync" }
  | { do: "opened"; socket: number }
  | { do: "heard"; socket: number; text: string }
  | { do: "closed"; socket: number; code: number }
  | { do: "push"; push: number; ops: Op[] }
  | { do: "undo"; push: number }
  | { do: "redo"; push: number }
  | { do: "show"; set: Record<string, unknown> };
type Command = { now: number; tab: string } & (
  | PageCommand
  | { do: "reset" }
  | { do: "tick" }
  | { do: "view" }
  | { do: "plant"; bug: string }
  | { do: "open"; account: string }
);

const pages = new Map<string, Page>();
const shelves = new Map<string, MemoryShelf>();
const visits = new Map<string, number>();
const changed = new Set<string>();
let tags = new WeakMap<readonly Op[], number>();
let deeds: Deed[] = [];
let seed = 1;

/** When every promise that can go on has gone on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return (seed >>> 8) / 2 ** 24;
}

function open(tab: string, account: string): void {
  const shelf = shelves.get(account) ?? new MemoryShelf();
  shelves.set(account, shelf);
  const visit = (visits.get(tab) ?? 0) + 1;
  visits.set(tab, visit);
  const report = (deed: Deed): void => void deeds.push(deed);
  pages.set(tab, new Page({ tab, visit, shelf, random, report, changed: () => changed.add(tab) }));
  changed.add(tab);
}

function forgetEverything(): void {
  for (const page of pages.values()) page.crash();
  for (const each of [pages, shelves, visits, changed]) each.clear();
  tags = new WeakMap();
  seed = 1;
  reset();
}

function carryOut(command: Command): void {
  // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- the other half is below
  switch (command.do) {
    case "reset":
      return forgetEverything();
    case "plant":
      return plant(command.bug);
    case "open":
      return open(command.tab, command.account);
    case "tick":
    case "view":
      return;
    default:
      return carryOutOn(pageOf(command.tab), command);
  }
}

function plant(name: string): void {
  const bug = BUGS[name];
  if (bug === undefined) throw new Error(`There is no bug “${name}”.`);
  bug();
}

function pageOf(tab: string): Page {
  const page = pages.get(tab);
  if (page === undefined) throw new Error(`There is no tab ${tab}.`);
  return page;
}

function carryOutOn(page: Page, command: PageCommand): void {
  const { room } = page;
  switch (command.do) {
    case "crash":
      return page.crash();
    case "resync":
      room["connection"].send({ type: "resync" });
      return;
    case "push":
      return page.did(() => room.push(command.ops), command.push, tags);
    case "undo":
    case "redo":
      return page.did(() => room[command.do](), command.push, tags);
    case "show":
      return room.setPresence(command.set);
    case "opened":
    case "heard":
    case "closed":
      return hear(page, command);
  }
}

/** What is on screen, and what would be if all of it were worked out anew. */
function viewOf({ room, replica }: Page): { view: GraphDocument; laid: GraphDocument } {
  const laid = replica.pending.reduce((document, { shown, ops }) => apply(document, shown ?? ops), replica.confirmed);
  return { view: room.getState().document, laid };
}

function hear(page: Page, command: Extract<PageCommand, { socket: number }>): void {
  const socket = page.sockets.get(command.socket);
  if (socket === undefined || socket.readyState === 3) return;
  if (command.do === "heard") return socket.onmessage?.({ data: command.text });
  socket.readyState = command.do === "opened" ? 1 : 3;
  if (command.do === "opened") socket.onopen?.();
  else socket.onclose?.({ code: command.code, reason: "" });
}

async function answer(command: Command): Promise<string> {
  await advance(command.now, settle);
  carryOut(command);
  await settle();
  const found = command.do === "view" ? viewOf(pageOf(command.tab)) : undefined;
  const did = deeds.map(({ ops, ...deed }) => ({ ...deed, ...(ops && { push: tags.get(ops) ?? null }) }));
  deeds = [];
  const states = Object.fromEntries([...changed].map((tab) => [tab, pages.get(tab)?.state()]));
  changed.clear();
  return JSON.stringify({ did, states, wake: nextAt(), found });
}

install();
let turn = Promise.resolve();
createInterface({ input: process.stdin }).on("line", (line) => {
  turn = turn.then(async () => void process.stdout.write(`${await answer(JSON.parse(line) as Command)}\n`));
});

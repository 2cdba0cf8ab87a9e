import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeServer, node, setPrompt } from "./FakeServer";
import { MemoryShelf, type Outbox } from "./outbox";
import { Room } from "./room";
import type { PushError } from "./types";

let shelf: MemoryShelf;
let rooms: Room[];
let names: number;
let rejections: PushError[];

beforeEach(() => {
  vi.useFakeTimers();
  shelf = new MemoryShelf();
  rooms = [];
  names = 0;
  rejections = [];
});

afterEach(() => {
  for (const room of rooms) room.leave();
  vi.useRealTimers();
});

interface Tab {
  room: Room;
  server: FakeServer;
  outbox: Outbox;
}

async function openTab(outbox: Outbox = shelf.outbox()): Promise<Tab> {
  const server = new FakeServer();
  const room = new Room({
    url: "ws://easel",
    open: server.open,
    newClientId: () => `c${++names}`,
    outbox,
    onReject: (error) => rejections.push(error),
  });
  rooms.push(room);
  room.join();
  await vi.waitFor(() => expect(server.sockets).toHaveLength(1));
  return { room, server, outbox };
}

/** The tab is gone without a word, as after a crash: the browser lets go of its locks. */
async function crash({ server, outbox }: Tab): Promise<void> {
  await vi.waitFor(() => Promise.resolve()); // what was being written is written
  server.socket.drop();
  await outbox.release();
}

const numbers = (tab: Tab): number[] => tab.server.heard("push").map(({ clientSeq }) => clientSeq);
const prompt = ({ room }: Tab): unknown => room.getState().document.nodes[0]?.data.prompt;
const kept = (count: number): Promise<void> => vi.waitFor(() => expect(shelf.pushes).toHaveLength(count));

describe("an unanswered push", () => {
  it("is kept until it is answered", async () => {
    const tab = await openTab();
    tab.server.admit([node("a")]);
    void tab.room.push([setPrompt("a", "owl")]);
    await kept(1);
    expect(tab.room.getState().isDurable).toBe(true);
    tab.server.result({ clientSeq: 1, seq: 11, outcome: "commit" });
    await kept(0);
  });

  it("is resumed by the next tab under the same client and number", async () => {
    const first = await openTab();
    first.server.admit([node("a")]);
    void first.room.push([setPrompt("a", "owl")]);
    void first.room.push([setPrompt("a", "hare")]);
    await kept(2);
    await crash(first);

    const second = await openTab();
    expect(second.room.getState().pendingCount).toBe(2);
    second.server.socket.open();
    expect(second.server.heard("hello")).toMatchObject([{ clientId: "c1", resume: null }]);
    second.server.welcome({ lastClientSeq: 1 });
    second.server.snapshot([node("a")]);

    expect(numbers(second)).toEqual([1, 2]);
    expect(prompt(second)).toBe("hare");
    void second.room.push([setPrompt("a", "wren")]);
    expect(numbers(second)).toEqual([1, 2]); // nobody knows whether the closed tab has used a third number
    second.server.result({ clientSeq: 1, seq: 9, outcome: "commit" }); // it was stored long ago: the server says so again
    second.server.result({ clientSeq: 2, seq: 11, outcome: "commit" });
    second.server.admit([node("a", { prompt: "hare" })], { seq: 11 });
    expect(second.server.heard("hello")).toMatchObject([{ clientId: "c3", resume: { seq: 11, ackedClientSeq: 0 } }]);
    expect(numbers(second)).toEqual([1]);
    second.server.result({ clientSeq: 1, seq: 12, outcome: "commit" });
    expect(prompt(second)).toBe("wren");
    await kept(0);
  });

  it("is taken over by exactly one tab, and by none while its own tab lives", async () => {
    const first = await openTab();
    first.server.admit([node("a")]);
    void first.room.push([setPrompt("a", "owl")]);
    await kept(1);

    const beside = await openTab();
    expect(beside.room.getState().pendingCount).toBe(0);
    await crash(first);
    const [second, third] = [await openTab(), await openTab()];
    expect([second, third].map(({ room }) => room.getState().pendingCount)).toEqual([1, 0]);
  });

  it("of several closed tabs goes out one client after the other", async () => {
    const closed = [await openTab(), await openTab()];
    for (const tab of closed) {
      tab.server.admit([node("a")]);
      void tab.room.push([setPrompt("a", "owl")]);
    }
    await kept(2);
    for (const tab of closed) await crash(tab);

    const next = await openTab();
    next.server.admit([node("a")]);
    next.server.result({ clientSeq: 1, seq: 11, outcome: "commit" });
    next.server.socket.drop();
    await vi.advanceTimersByTimeAsync(1000);
    next.server.admit([node("a")], { mode: "resume", seq: 11 });
    await vi.waitFor(() => expect(next.server.sockets.length).toBeGreaterThan(2));
    next.server.admit([node("a")], { seq: 11 });
    expect(next.server.heard("hello")[0]?.clientId).toBe("c2");
    expect(numbers(next)).toEqual([1]);
    next.server.result({ clientSeq: 1, seq: 12, outcome: "commit" });
    await kept(0);
  });

  it("is numbered afresh under a new client on a new epoch, and kept under that", async () => {
    const first = await openTab();
    first.server.admit([node("a")]);
    void first.room.push([setPrompt("a", "old")]);
    first.server.result({ clientSeq: 1, seq: 11, outcome: "commit" });
    void first.room.push([setPrompt("a", "owl")]);
    await kept(1);
    await crash(first);

    const second = await openTab();
    second.server.admit([node("a")], { epoch: "e2", seq: 3 });
    second.server.admit([node("a")], { epoch: "e2", seq: 3 });

    expect(second.server.heard("hello")[0]?.clientId).not.toBe("c1");
    await vi.waitFor(() => expect(numbers(second)).toEqual([1])); // not before the disk knows its new number
    await vi.waitFor(() => expect(shelf.pushes.map(({ clientId }) => clientId)).not.toContain("c1"));
    await kept(1);
  });

  it("is in the outbox under one name at any moment, whenever the tab dies", async () => {
    const outbox = shelf.outbox();
    const names: string[][] = [];
    const watched: Outbox = {
      ...outbox,
      write: async (change) => {
        await outbox.write(change);
        names.push(shelf.pushes.map(({ clientId, clientSeq }) => `${clientId} ${clientSeq}`));
      },
    };
    const tab = await openTab(watched);
    tab.server.admit([node("a")]);
    void tab.room.push([setPrompt("a", "owl")]);
    tab.server.result({ clientSeq: 1, seq: 10, outcome: "reject", error: { code: "CLIENT_SEQ_REUSED", detail: "No." } });
    await vi.waitFor(() => expect(names).toEqual([["c1 1"], ["c2 1"]]));
  });

  it("stays in the outbox from the moment another tab claims it until the server has answered", async () => {
    const closed = await openTab();
    closed.server.admit([node("a")]);
    const living = await openTab();
    living.server.admit([node("a")]);
    void living.room.push([setPrompt("a", "hare")]); // as long as this is on its way, nothing is adopted
    void closed.room.push([setPrompt("a", "owl")]);
    await kept(2);
    await crash(closed);
    living.server.socket.drop();
    await vi.advanceTimersByTimeAsync(1000);
    living.server.admit([node("a")], { mode: "resume" });
    void living.room.push([setPrompt("a", "wren")]);
    await kept(3);
    expect(shelf.pushes.map(({ clientId }) => clientId).toSorted()).toEqual(["c1", "c2", "c2"]);
  });

  it("waits for the next visit when the canvas is left, without a word of rejection", async () => {
    const tab = await openTab();
    tab.server.admit([node("a")]);
    tab.server.socket.drop();
    const answer = tab.room.push([setPrompt("a", "owl")]);
    tab.room.leave();
    expect((await answer).error?.code).toBe("ROOM_CLOSED");
    expect(rejections).toEqual([]);

    tab.room.join();
    await vi.waitFor(() => expect(tab.room.getState().pendingCount).toBe(1));
    expect(shelf.pushes).toHaveLength(1);
  });

  it("survives a join that is taken back at once, as in React's strict mode, only once", async () => {
    const first = await openTab();
    first.server.admit([node("a")]);
    void first.room.push([setPrompt("a", "owl")]);
    await kept(1);
    await crash(first);

    const server = new FakeServer();
    const room = new Room({ url: "ws://easel", open: server.open, newClientId: () => `c${++names}`, outbox: shelf.outbox() });
    rooms.push(room);
    room.join();
    room.leave();
    room.join();
    await vi.waitFor(() => expect(server.sockets).toHaveLength(1));
    expect(room.getState().pendingCount).toBe(1);
  });
});

it("a browser that keeps nothing is said to, and the canvas goes on", async () => {
  const broken: Outbox = {
    claim: () => Promise.reject(new Error("private window")),
    write: () => Promise.reject(new Error("private window")),
    release: () => Promise.resolve(),
  };
  const { room, server } = await openTab(broken);
  server.admit([node("a")]);
  void room.push([setPrompt("a", "owl")]);
  expect(numbers({ room, server, outbox: broken })).toEqual([1]);
  expect(room.getState().isDurable).toBe(false);
});

it("a tab whose client id another one uses takes a new one as soon as nothing is waiting", async () => {
  const { room, server } = await openTab();
  server.admit([node("a")]);
  server.socket.drop(4010);
  await vi.advanceTimersByTimeAsync(1000);
  server.socket.open();
  expect(server.heard("hello")[0]?.clientId).toBe("c2");
  expect(room.getState().connection).toBe("reconnecting");
});

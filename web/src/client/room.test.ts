import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeServer, node, setPrompt } from "./FakeServer";
import { Room } from "./room";
import type { PushError, Result } from "./types";

let server: FakeServer;
let room: Room;
let rejections: PushError[];
let clientIds: number;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  rejections = [];
  clientIds = 0;
  room = new Room({
    url: "ws://easel/ws/workflows/w1",
    open: server.open,
    newClientId: () => `c${++clientIds}`,
    random: () => 1,
    onReject: (error) => rejections.push(error),
  });
  room.join();
});

afterEach(() => {
  room.leave();
  vi.useRealTimers();
});

const prompt = (id = "a"): unknown => room.getState().document.nodes.find((each) => each.id === id)?.data.prompt;
const ids = (): string[] => room.getState().document.nodes.map(({ id }) => id);
const rejected = (clientSeq: number, code = "FORBIDDEN"): Result => ({
  clientSeq,
  seq: 10,
  outcome: "reject",
  error: { code, detail: "No." },
});

function reconnect(): void {
  server.socket.drop();
  vi.advanceTimersByTime(400);
  server.socket.open();
}

describe("joining", () => {
  it("says hello, and is live only with the last part of the snapshot", () => {
    server.socket.open();
    expect(server.heard("hello")).toEqual([{ type: "hello", protocol: 1, clientId: "c1", resume: null }]);

    server.welcome();
    server.snapshot([node("a")], [], 1, 2);
    expect(room.getState()).toMatchObject({ connection: "connecting", isLoaded: false });
    server.snapshot([node("b")], [], 2, 2);

    expect(ids()).toEqual(["a", "b"]);
    expect(room.getState()).toMatchObject({ connection: "live", isLoaded: true, role: "editor" });
    expect(room.getState().document.workflow.name).toBe("Canvas");
  });

  it("keeps what was done before the welcome and sends it after", () => {
    void room.push([{ op: "add", kind: "node", record: node("mine") }]);
    expect(ids()).toEqual(["mine"]);
    server.admit([node("a")]);
    expect(ids()).toEqual(["a", "mine"]);
    expect(server.heard("push").map((push) => push.clientSeq)).toEqual([1]);
  });
});

describe("pushing", () => {
  beforeEach(() => server.admit([node("a", { prompt: "fox" })]));

  it("shows a change at once and keeps it when committed", async () => {
    const answer = room.push([setPrompt("a", "owl")]);
    const shown = room.getState().document.nodes[0];
    expect(prompt()).toBe("owl");
    expect(room.getState().pendingCount).toBe(1);

    server.result({ clientSeq: 1, seq: 11, outcome: "commit" });

    expect((await answer).outcome).toBe("commit");
    expect(room.getState().pendingCount).toBe(0);
    expect(room.getState().document.nodes[0]).toBe(shown);
  });

  it("takes a rejected change back and says why", async () => {
    const answer = room.push([setPrompt("a", "owl")]);
    server.result(rejected(1));
    expect(prompt()).toBe("fox");
    expect((await answer).error?.code).toBe("FORBIDDEN");
    expect(rejections).toHaveLength(1);
  });

  it("takes back only the rejected one of several", () => {
    void room.push([setPrompt("a", "owl")]);
    void room.push([{ op: "add", kind: "node", record: node("b") }]);
    server.result(rejected(1));
    expect(prompt()).toBe("fox");
    expect(ids()).toEqual(["a", "b"]);
    server.result({ clientSeq: 2, seq: 11, outcome: "commit" });
    expect(ids()).toEqual(["a", "b"]);
  });

  it("replaces the pending ops by the server's on rebase", () => {
    void room.push([{ op: "remove", kind: "node", ids: ["a"] }]);
    server.result({ clientSeq: 1, seq: 11, outcome: "rebase", ops: [setPrompt("a", "heron")] });
    expect(prompt()).toBe("heron");
  });

  it("lets a pending change win over another's that was ordered before it", () => {
    void room.push([setPrompt("a", "mine")]);
    server.ops(11, [setPrompt("a", "theirs")]);
    expect(prompt()).toBe("mine");
    server.result({ clientSeq: 1, seq: 12, outcome: "commit" });
    expect(prompt()).toBe("mine");
  });

  it("lets another's change win that was ordered after it", () => {
    void room.push([setPrompt("a", "mine")]);
    server.result({ clientSeq: 1, seq: 11, outcome: "commit" });
    server.ops(12, [setPrompt("a", "theirs")]);
    expect(prompt()).toBe("theirs");
  });

  it("shows another's change underneath when its own is rejected", () => {
    void room.push([setPrompt("a", "mine")]);
    server.ops(11, [setPrompt("a", "theirs")]);
    server.result(rejected(1));
    expect(prompt()).toBe("theirs");
  });

  it("does not bring a node back that another removed", () => {
    void room.push([setPrompt("a", "mine")]);
    server.ops(11, [{ op: "remove", kind: "node", ids: ["a"] }]);
    expect(ids()).toEqual([]);
    server.result({ clientSeq: 1, seq: 11, outcome: "commit" });
    server.ops(12, [{ op: "add", kind: "node", record: node("b") }]);
    expect(ids()).toEqual(["b"]);
    expect(server.heard("resync")).toEqual([]);
  });

  it("does not take the head told with a change without effect for its own", () => {
    void room.push([setPrompt("a", "fox")]);
    server.result({ clientSeq: 1, seq: 11, outcome: "commit" });
    server.ops(11, [setPrompt("a", "theirs")]);
    expect(prompt()).toBe("theirs");
    expect(room.getState().pendingCount).toBe(0);
  });

  it("says when everything is answered", async () => {
    let isSettled = false;
    void room.push([setPrompt("a", "owl")]);
    void room.push([setPrompt("a", "hare")]);
    const settled = room.settled().then(() => (isSettled = true));
    server.result({ clientSeq: 1, seq: 11, outcome: "commit" });
    await Promise.resolve();
    expect(isSettled).toBe(false);
    server.result({ clientSeq: 2, seq: 12, outcome: "commit" });
    await settled;
    expect(isSettled).toBe(true);
  });

  it("asks for a fresh copy when a transaction is missing, and keeps its own on top", () => {
    void room.push([setPrompt("a", "mine")]);
    server.ops(13, [setPrompt("a", "late")]);
    expect(server.heard("resync")).toHaveLength(1);

    server.ops(14, [setPrompt("a", "later")]);
    server.result({ clientSeq: 1, seq: 15, outcome: "commit" });
    server.welcome({ seq: 15 });
    server.snapshot([node("a", { prompt: "mine" })]);

    expect(prompt()).toBe("mine");
    expect(room.getState()).toMatchObject({ pendingCount: 0, connection: "live" });
    expect(server.heard("resync")).toHaveLength(1);
  });

  it("pushes again what a fresh copy was asked over, and counts one answer only", () => {
    server.ops(13, []);
    void room.push([setPrompt("a", "mine")]);
    expect(server.heard("push")).toEqual([]);
    server.welcome({ seq: 13 });
    server.snapshot([node("a")]);
    expect(server.heard("push")).toHaveLength(1);
    server.result(rejected(1));
    server.result(rejected(1));
    expect(rejections).toHaveLength(1);
  });
});

describe("resuming", () => {
  beforeEach(() => server.admit([node("a", { prompt: "fox" })]));

  it("tells where it stood", () => {
    void room.push([setPrompt("a", "owl")]);
    server.result({ clientSeq: 1, seq: 11, outcome: "commit" });
    reconnect();
    expect(server.heard("hello")[0]?.resume).toEqual({ epoch: "e1", seq: 11, ackedClientSeq: 1 });
  });

  it("sends an unanswered push again under its number", () => {
    void room.push([setPrompt("a", "owl")]);
    server.socket.drop();
    expect(room.getState().connection).toBe("reconnecting");
    void room.push([setPrompt("a", "hare")]);
    vi.advanceTimersByTime(400);
    server.socket.open();
    server.welcome({ mode: "resume" });
    expect(server.heard("push").map(({ clientSeq }) => clientSeq)).toEqual([1, 2]);
    expect(prompt()).toBe("hare");
  });

  it("does not apply its own transaction twice when the answer was lost", async () => {
    const answer = room.push([{ op: "add", kind: "node", record: node("b") }]);
    reconnect();
    server.welcome({
      mode: "resume",
      seq: 12,
      lastClientSeq: 1,
      results: [{ clientSeq: 1, seq: 11, outcome: "commit" }],
    });
    expect(server.heard("push")).toEqual([]);
    expect(ids()).toEqual(["a", "b"]);

    server.ops(11, [{ op: "add", kind: "node", record: node("b") }], { clientId: "c1", clientSeq: 1 });
    server.ops(12, [setPrompt("b", "theirs")]);

    expect(ids()).toEqual(["a", "b"]);
    expect(prompt("b")).toBe("theirs");
    expect((await answer).seq).toBe(11);
    expect(room.getState().pendingCount).toBe(0);
  });

  it("never lets a lost answer overwrite what came later", () => {
    void room.push([setPrompt("a", "old")]);
    reconnect();
    server.welcome({ mode: "resume", seq: 12, results: [{ clientSeq: 1, seq: 11, outcome: "commit" }] });
    server.ops(11, [setPrompt("a", "old")], { clientId: "c1", clientSeq: 1 });
    server.ops(12, [setPrompt("a", "newer")]);
    expect(prompt()).toBe("newer");
    expect(server.heard("push")).toEqual([]);
  });

  it("rolls back what was rejected while it was away", () => {
    void room.push([setPrompt("a", "owl")]);
    reconnect();
    server.welcome({ mode: "resume", lastClientSeq: 1, results: [rejected(1)] });
    expect(prompt()).toBe("fox");
    expect(rejections).toHaveLength(1);
    expect(server.heard("push")).toEqual([]);
  });

  it("drops what the snapshot holds already", () => {
    void room.push([setPrompt("a", "owl")]);
    reconnect();
    server.welcome({ seq: 20, results: [{ clientSeq: 1, seq: 11, outcome: "commit" }] });
    server.snapshot([node("a", { prompt: "newer" })]);
    expect(prompt()).toBe("newer");
    expect(room.getState().pendingCount).toBe(0);
  });

  it("settles a change without effect that was answered while it was away", () => {
    void room.push([setPrompt("a", "fox")]);
    reconnect();
    server.welcome({ mode: "resume", seq: 11, results: [{ clientSeq: 1, seq: 11, outcome: "commit" }] });
    server.ops(11, [setPrompt("a", "theirs")]);
    expect(prompt()).toBe("theirs");
    expect(room.getState().pendingCount).toBe(0);
  });

  it("keeps the old picture until a new snapshot is whole", () => {
    reconnect();
    server.welcome({ seq: 20 });
    server.snapshot([node("x")], [], 1, 2);
    expect(ids()).toEqual(["a"]);
    server.snapshot([node("y")], [], 2, 2);
    expect(ids()).toEqual(["x", "y"]);
  });

  it("takes a new client id on a new epoch and pushes only what was never acknowledged", () => {
    void room.push([setPrompt("a", "acknowledged")]);
    void room.push([{ op: "add", kind: "node", record: node("b") }]);
    server.result({ clientSeq: 1, seq: 11, outcome: "commit" });
    reconnect();
    server.welcome({ epoch: "e2", seq: 4 });
    server.socket.open();
    expect(server.heard("hello")).toEqual([{ type: "hello", protocol: 1, clientId: "c2", resume: null }]);

    server.welcome({ epoch: "e2", seq: 4 });
    server.snapshot([node("a", { prompt: "restored" })]);

    expect(server.heard("push")).toMatchObject([{ clientSeq: 1, ops: [{ op: "add" }] }]);
    expect(prompt()).toBe("restored");
    expect(ids()).toEqual(["a", "b"]);
  });

  it("starts over under a new client id when its number was used by a copy of the tab", () => {
    void room.push([setPrompt("a", "mine")]);
    server.result(rejected(1, "CLIENT_SEQ_REUSED"));
    server.socket.open();
    server.welcome();
    server.snapshot([node("a", { prompt: "fox" })]);
    expect(server.heard("hello")[0]?.clientId).toBe("c2");
    expect(server.heard("push")).toMatchObject([{ clientSeq: 1 }]);
    expect(rejections).toEqual([]);
    expect(prompt()).toBe("mine");
  });
});

describe("closing", () => {
  beforeEach(() => server.admit());

  it.each([
    [4000, "reconnecting"],
    [4008, "reconnecting"],
    [1006, "reconnecting"],
    [4101, "signed-out"],
    [4503, "stopped"],
    [4504, "stopped"],
  ])("code %i leaves it %s", (code, connection) => {
    server.socket.drop(code);
    expect(room.getState()).toMatchObject({ connection, closeCode: code });
    vi.advanceTimersByTime(60_000);
    expect(server.sockets.length > 1).toBe(connection === "reconnecting");
  });

  it("waits longer after each failure, and short again after a welcome", () => {
    for (const wait of [400, 800, 1600]) {
      server.socket.drop();
      const before = server.sockets.length;
      vi.advanceTimersByTime(wait - 1);
      expect(server.sockets).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(server.sockets).toHaveLength(before + 1);
    }
    server.admit();
    server.socket.drop();
    vi.advanceTimersByTime(400);
    expect(server.sockets).toHaveLength(5);
  });

  it("tries at once when it is told that the network is back", () => {
    server.socket.drop();
    room.retryNow();
    expect(server.sockets).toHaveLength(2);
  });

  it("gives a silent socket up", () => {
    vi.advanceTimersByTime(30_400);
    expect(server.sockets).toHaveLength(2);
  });

  it("comes back by itself when the head has moved on without it", () => {
    server.socket.say({ type: "pong", t: 1, seq: 12 });
    server.socket.say({ type: "pong", t: 2, seq: 12 });
    expect(server.sockets).toHaveLength(2);
  });

  it("answers what was never saved when it leaves", async () => {
    const answer = room.push([setPrompt("a", "owl")]);
    room.leave();
    expect((await answer).error?.code).toBe("ROOM_CLOSED");
  });
});

describe("the other lanes", () => {
  beforeEach(() => server.admit());

  it("merges presence, removes nulls, forgets who left, and never shows itself", () => {
    const ada = { id: "u2", name: "Ada", color: "#f00" };
    server.socket.say({ type: "frame", presence: { s2: { user: ada, cursor: { x: 1, y: 2 } }, s1: { cursor: { x: 0, y: 0 } } } });
    server.socket.say({ type: "frame", presence: { s2: { cursor: null, editing: "a" } } });
    expect(room.getState().peers).toEqual({ s2: { user: ada, editing: "a" } });
    server.socket.say({ type: "frame", left: ["s2"] });
    expect(room.getState().peers).toEqual({});
  });

  it("sends presence at most once a tick, the newest of each key, and all of it after a reconnect", () => {
    room.setPresence({ cursor: { x: 1, y: 1 } });
    room.setPresence({ cursor: { x: 2, y: 2 } });
    room.setPresence({ selection: ["a"], cursor: { x: 3, y: 3 } });
    vi.advanceTimersByTime(33);
    expect(server.heard("presence").map(({ set }) => set)).toEqual([
      { cursor: { x: 1, y: 1 } },
      { cursor: { x: 3, y: 3 }, selection: ["a"] },
    ]);
    reconnect();
    server.welcome({ mode: "resume" });
    expect(server.heard("presence").map(({ set }) => set)).toEqual([{ cursor: { x: 3, y: 3 }, selection: ["a"] }]);
  });

  it("keeps the newest news of each node's run", () => {
    const run = { jobId: "j1", nodeId: "a", status: "running" as const };
    server.socket.say({ type: "frame", runs: [{ ...run, progress: 10 }] });
    server.socket.say({ type: "frame", runs: [{ ...run, progress: 20 }] });
    expect(room.getState().runs.a?.progress).toBe(20);
  });

  it("hears that its role has changed", () => {
    server.socket.say({ type: "role", role: "viewer" });
    expect(room.getState().role).toBe("viewer");
  });
});

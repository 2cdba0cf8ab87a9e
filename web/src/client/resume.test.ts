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

  it("goes back to the number after the last one that the server has had", async () => {
    const answers = ["owl", "hare"].map((text) => room.push([setPrompt("a", text)]));
    reconnect();
    server.welcome({ mode: "resume" });
    server.result({ ...rejected(1, "SEQ_GAP"), clientSeq: 4, lastClientSeq: 0 }); // nothing of ours: it says where it stands
    for (const clientSeq of [1, 2]) server.result({ clientSeq, seq: 10 + clientSeq, outcome: "commit" });
    expect((await Promise.all(answers)).map(({ seq }) => seq)).toEqual([11, 12]);

    const kept = room.push([setPrompt("a", "wren")]);
    server.result({ ...rejected(3, "SEQ_GAP"), lastClientSeq: 0 }); // its memory is older than ours
    expect(server.heard("push").at(-1)).toMatchObject({ clientSeq: 1, ops: [setPrompt("a", "wren")] });
    expect(prompt()).toBe("wren");
    server.result({ clientSeq: 1, seq: 13, outcome: "commit" });
    expect((await kept).outcome).toBe("commit");
    expect(server.sockets).toHaveLength(2);
  });

  it("does not push again what a new history already has, though its answer was lost", async () => {
    const answer = room.push([{ op: "add", kind: "node", record: node("b") }]);
    reconnect();
    server.welcome({ epoch: "e2", seq: 11, lastClientSeq: 1 });
    server.socket.open();
    server.welcome({ epoch: "e2", seq: 11 });
    server.snapshot([node("a"), node("b")]);
    expect((await answer).outcome).toBe("commit");
    expect(server.heard("push")).toEqual([]);
    expect(ids()).toEqual(["a", "b"]);
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

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeServer, node, setPrompt } from "./FakeServer";
import { Room } from "./room";
import type { PushError, Result } from "./types";

let server: FakeServer;
let room: Room;
let rejections: PushError[];
let clientIds: number;
let notices: string[];

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  rejections = [];
  clientIds = 0;
  notices = [];
  room = new Room({
    url: "ws://easel/ws/workflows/w1",
    open: server.open,
    newClientId: () => `c${++clientIds}`,
    random: () => 1,
    onReject: (error) => rejections.push(error),
    onNotice: (code) => notices.push(code),
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

  it("hears that its role has changed, and says so to the person", () => {
    server.socket.say({ type: "role", role: "viewer" });
    expect(room.getState().role).toBe("viewer");
    expect(notices).toEqual(["ROLE_CHANGED"]);
  });

  it("refuses a viewer's edit here, with a reason, and takes back what was on its way when the server refuses it", async () => {
    const onItsWay = room.push([{ op: "add", kind: "node", record: node("b") }]);
    server.socket.say({ type: "role", role: "viewer" });
    const answer = await room.push([{ op: "add", kind: "node", record: node("c") }]);
    expect(answer.error?.code).toBe("FORBIDDEN");
    expect(server.heard("push")).toHaveLength(1);
    expect(ids()).toEqual(["b"]);
    server.result(rejected(1));
    expect((await onItsWay).outcome).toBe("reject");
    expect(ids()).toEqual([]);
    expect(rejections).toHaveLength(2);
  });
});

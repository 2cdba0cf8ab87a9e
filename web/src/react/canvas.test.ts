import { reconnectEdge } from "@xyflow/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Room } from "../client";
import { FakeServer, node, setPrompt } from "../client/FakeServer";
import { Canvas } from "./canvas";

let server: FakeServer;
let canvas: Canvas;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  canvas = new Canvas(new Room({ url: "ws://easel", open: server.open, newClientId: () => "c1" }));
  canvas.room.join();
  server.admit([node("a"), node("b")]);
  canvas.onNodesChange(
    ["a", "b"].map((id) => ({ type: "dimensions" as const, id, dimensions: { width: 280, height: 190 } })),
  );
});

afterEach(() => {
  canvas.room.leave();
  vi.useRealTimers();
});

const shown = (id: string) => canvas.store.getState().nodes.find((each) => each.id === id);
const drag = (id: string, x: number, dragging: boolean): void =>
  canvas.onNodesChange([{ type: "position", id, position: { x, y: 0 }, dragging }]);

it("measures nothing but this screen", () => {
  expect(shown("a")?.measured).toEqual({ width: 280, height: 190 });
  expect(server.heard("push")).toEqual([]);
});

it("keeps measured and selected over a change by another, and leaves the other node alone", () => {
  canvas.select(["a"]);
  const other = shown("b");
  server.ops(11, [setPrompt("a", "owl")]);
  expect(shown("a")).toMatchObject({ data: { prompt: "owl" }, selected: true, measured: { width: 280 } });
  expect(shown("b")).toBe(other);
});

describe("a drag", () => {
  it("PG21: into another parent is one push with the place in there, and one into a parent that is gone just a place", () => {
    server.ops(11, [{ op: "update", kind: "node", id: "b", set: { "/position": { x: 100, y: 40 } }, parentId: null }]);
    drag("a", 110, true);
    canvas.aim(new Map([["a", "b"]]));
    drag("a", 120, false);
    const moved = { "/position": { x: 20, y: -40 }, "/parentId": "b" };
    expect(server.heard("push").at(-1)?.ops).toEqual([{ op: "update", kind: "node", id: "a", set: moved, parentId: "b" }]);
    expect(shown("a")).toMatchObject({ parentId: "b", position: { x: 20, y: -40 } });

    drag("a", 30, true);
    canvas.aim(new Map([["a", null]]));
    drag("a", 30, false);
    const freed = { set: { "/position": { x: 130, y: 40 } }, unset: ["/parentId"], parentId: null };
    expect(server.heard("push").at(-1)?.ops).toEqual([{ op: "update", kind: "node", id: "a", ...freed }]);

    drag("a", 50, true);
    canvas.aim(new Map([["a", "gone"]]));
    drag("a", 50, false);
    expect(server.heard("push").at(-1)?.ops).toMatchObject([{ set: { "/position": { x: 50, y: 0 } }, parentId: null }]);
    drag("a", 70, true);
    drag("a", 70, false);
    expect(canvas.store.getState().homes.size).toBe(0);
  });

  it("is presence while it lasts and one push at its end", async () => {
    drag("a", 10, true);
    drag("a", 20, true);
    vi.advanceTimersByTime(40);
    expect(server.heard("push")).toEqual([]);
    expect(server.heard("presence").at(-1)?.set).toEqual({ drag: { a: { x: 20, y: 0 } } });

    drag("a", 30, false);

    expect(server.heard("push")).toMatchObject([
      { ops: [{ op: "update", kind: "node", id: "a", set: { "/position": { x: 30, y: 0 } }, parentId: null }] },
    ]);
    await vi.advanceTimersByTimeAsync(40);
    expect(server.heard("presence").at(-1)?.set).toEqual({ drag: { a: { x: 30, y: 0 } } }); // else it jumps back for the others
    server.result({ clientSeq: 1, seq: 11, outcome: "commit" });
    await vi.advanceTimersByTimeAsync(40);
    expect(server.heard("presence").at(-1)?.set).toEqual({ drag: null });
  });

  it("ends when the right to edit is taken away, and leaves nothing behind", () => {
    drag("a", 10, true);
    server.socket.say({ type: "role", role: "viewer" });
    expect(shown("a")).toMatchObject({ position: { x: 0 }, dragging: false });
    drag("a", 20, true);
    drag("a", 30, false);
    expect(shown("a")?.position.x).toBe(0);
    vi.advanceTimersByTime(400);
    expect(server.heard("push")).toEqual([]);
    expect(server.heard("presence").at(-1)?.set).toEqual({ drag: null });
  });

  it("of another moves on screen and does not jump, however few frames come", () => {
    const theirs = (x: number): void => server.socket.say({ type: "frame", presence: { s2: { drag: { a: { x, y: 0 } } } } });
    const seen: number[] = [];
    for (const x of [90, 180, 270]) {
      theirs(x);
      for (let frame = 0; frame < 4; frame++) {
        vi.advanceTimersByTime(16);
        seen.push(Math.round(shown("a")?.position.x ?? -1));
      }
    }
    const steps = seen.map((x, at) => x - (seen[at - 1] ?? 0));
    expect(seen.at(-1)).toBe(270);
    expect(Math.min(...steps)).toBeGreaterThan(0);
    expect(Math.max(...steps)).toBeLessThan(45);
  });

  it("tells its last place before it is pushed, and nothing of it after", () => {
    drag("a", 10, true);
    drag("a", 20, true);
    drag("a", 30, false);
    vi.advanceTimersByTime(40);
    const [, ...said] = server.socket.heard.map((message) => (message.type === "presence" ? message.set.drag?.a?.x : message.type));
    expect(said).toEqual([10, 30, "push"]);
  });

  it("of several nodes is one push", () => {
    canvas.onNodesChange(["a", "b"].map((id) => ({ type: "position" as const, id, position: { x: 5, y: 5 }, dragging: true })));
    canvas.onNodesChange(["a", "b"].map((id) => ({ type: "position" as const, id, position: { x: 9, y: 9 }, dragging: false })));
    expect(server.heard("push")).toMatchObject([{ ops: [{ id: "a" }, { id: "b" }] }]);
  });

  it("that comes back to where it began pushes nothing", () => {
    drag("a", 10, true);
    drag("a", 0, false);
    expect(server.heard("push")).toEqual([]);
  });

  it("is not disturbed by another's change of the same node", () => {
    drag("a", 10, true);
    server.ops(11, [{ op: "update", kind: "node", id: "a", set: { "/position": { x: 500, y: 0 } } }]);
    expect(shown("a")?.position.x).toBe(10);
    drag("a", 12, false);
    expect(shown("a")?.position.x).toBe(12);
  });

  it("of another shows on this screen until it ends", () => {
    server.socket.say({ type: "frame", presence: { s2: { drag: { a: { x: 70, y: 0 } } } } });
    vi.advanceTimersByTime(70);
    expect(shown("a")?.position.x).toBe(70);
    server.ops(11, [{ op: "update", kind: "node", id: "a", set: { "/position": { x: 80, y: 0 } } }]);
    server.socket.say({ type: "frame", presence: { s2: { drag: null } } });
    expect(shown("a")?.position.x).toBe(80);
  });

  it("of another makes another node of what moves, once a frame, and leaves all the rest as it is", () => {
    server.ops(11, [{ op: "add", kind: "edge", record: { id: "e", source: "a", target: "b" } }]);
    const before = canvas.store.getState();
    const lists = new Set<unknown>();
    const stop = canvas.store.subscribe(({ nodes }) => lists.add(nodes));
    server.socket.say({ type: "frame", presence: { s2: { drag: { a: { x: 70, y: 0 } } } } });
    server.socket.say({ type: "frame", presence: { s2: { cursor: { x: 1, y: 1 } } } });
    expect(lists).toEqual(new Set([before.nodes]));
    vi.advanceTimersByTime(16);
    stop();
    const after = canvas.store.getState();
    expect(lists.size).toBe(2);
    expect(after.nodes.map((each, at) => each === before.nodes[at])).toEqual([false, true]);
    expect(after.edges).toBe(before.edges);
    expect(shown("a")).toMatchObject({ measured: { width: 280 } });
  });

  it("that the server rejects goes back", () => {
    drag("a", 10, true);
    drag("a", 10, false);
    server.result({ clientSeq: 1, seq: 10, outcome: "reject", error: { code: "FORBIDDEN", detail: "No." } });
    expect(shown("a")?.position.x).toBe(0);
  });

  it("of a node that is removed meanwhile pushes nothing", () => {
    drag("a", 10, true);
    server.ops(11, [{ op: "remove", kind: "node", ids: ["a"] }]);
    drag("a", 20, false);
    expect(server.heard("push")).toEqual([]);
  });
});

it("a run's progress is no change of a node", () => {
  const before = canvas.store.getState();
  server.socket.say({ type: "frame", runs: [{ jobId: "run_1", nodeId: "a", status: "running", progress: 40 }] });
  const after = canvas.store.getState();
  expect(after.room.runs.a).toMatchObject({ progress: 40 });
  expect([after.nodes === before.nodes, after.edges === before.edges]).toEqual([true, true]);
});

it("arrow keys become one push when the hand rests", () => {
  for (const x of [5, 10, 15]) drag("a", x, false);
  expect(server.heard("push")).toEqual([]);
  expect(shown("a")?.position.x).toBe(15);
  vi.advanceTimersByTime(250);
  expect(server.heard("push")).toMatchObject([{ ops: [{ set: { "/position": { x: 15, y: 0 } } }] }]);
});

it("a resize is one push at its end", () => {
  const size = { width: 400, height: 300 };
  canvas.onNodesChange([{ type: "dimensions", id: "a", dimensions: size, resizing: true, setAttributes: true }]);
  expect(server.heard("push")).toEqual([]);
  canvas.onNodesChange([{ type: "dimensions", id: "a", resizing: false }]);
  expect(server.heard("push")).toMatchObject([{ ops: [{ set: { "/width": 400, "/height": 300 } }] }]);
});

it("deleting is one push that leaves a node's own edges to the server", () => {
  server.ops(11, [
    { op: "add", kind: "edge", record: { id: "e1", source: "a", target: "b" } },
    { op: "add", kind: "node", record: node("c") },
    { op: "add", kind: "edge", record: { id: "e2", source: "b", target: "c" } },
  ]);
  const { nodes, edges } = canvas.store.getState();
  canvas.onDelete({ nodes: nodes.filter(({ id }) => id === "a"), edges });
  expect(server.heard("push")).toMatchObject([
    { ops: [{ op: "remove", kind: "edge", ids: ["e2"] }, { op: "remove", kind: "node", ids: ["a"] }] },
  ]);
});

it("connects once, however often the same wire is drawn", () => {
  const wire = { source: "a", target: "b", sourceHandle: null, targetHandle: null };
  canvas.onConnect(wire);
  canvas.onConnect(wire);
  expect(server.heard("push")).toHaveLength(1);
  expect(canvas.store.getState().edges).toMatchObject([{ source: "a", target: "b" }]);
});

describe("React Flow's own changes", () => {
  const ops = () => server.heard("push").map((push) => push.ops);

  it("replace only the registers and data paths that differ", async () => {
    server.ops(11, [setPrompt("a", "fox"), { op: "update", kind: "node", id: "a", set: { "/data/size": { width: 1, height: 1 } } }]);
    canvas.setNodes((nodes) =>
      nodes.map((each) =>
        each.id === "a" ? { ...each, hidden: true, selected: true, data: { size: { width: 2, height: 1 }, onClick: () => 1 } } : each,
      ),
    );
    await Promise.resolve();
    expect(ops()).toEqual([
      [{ op: "update", kind: "node", id: "a", set: { "/hidden": true, "/data/size/width": 2 }, unset: ["/data/prompt"] }],
    ]);
    expect(shown("a")).toMatchObject({ selected: true, measured: { width: 280 } });
  });

  it("of one moment are one push, in an order that the server can follow", async () => {
    canvas.setEdges([{ id: "e", source: "child", target: "b" }]);
    canvas.setNodes((nodes) => [
      ...nodes.filter(({ id }) => id !== "a"),
      { id: "child", position: { x: 1, y: 1 }, data: {}, parentId: "g" },
      { id: "g", type: "group", position: { x: 0, y: 0 }, data: {} },
    ]);
    await Promise.resolve();
    expect(ops()).toMatchObject([
      [
        { op: "add", record: { id: "g" } },
        { op: "add", record: { id: "child", parentId: "g" } },
        { op: "add", kind: "edge", record: { id: "e" } },
        { op: "remove", kind: "node", ids: ["a"] },
      ],
    ]);
  });

  it("add at the place in the list that they name", async () => {
    canvas.onNodesChange([{ type: "add", item: { id: "c", position: { x: 0, y: 0 }, data: {}, dragging: false }, index: 1 }]);
    await Promise.resolve();
    expect(ops()).toEqual([[{ op: "add", kind: "node", record: { id: "c", position: { x: 0, y: 0 }, data: {} }, index: 1 }]]);
  });

  it("that delete nodes and wires are one push, with onDelete or without", async () => {
    server.ops(11, [{ op: "add", kind: "edge", record: { id: "e", source: "a", target: "b" } }]);
    canvas.onEdgesChange([{ type: "remove", id: "e" }]);
    canvas.onNodesChange([{ type: "remove", id: "a" }]);
    await Promise.resolve();
    expect(ops()).toEqual([[{ op: "remove", kind: "node", ids: ["a"] }]]);
    expect(shown("a")).toBeUndefined();
  });

  it("are taken back on screen when the server refuses them", async () => {
    canvas.setNodes([]);
    await Promise.resolve();
    server.result({ clientSeq: 1, seq: 10, outcome: "reject", error: { code: "FORBIDDEN", detail: "No." } });
    expect(shown("a")).toBeDefined();
  });

  it("move a wire's end as one register, and as another wire when the id changes", async () => {
    server.ops(11, [{ op: "add", kind: "edge", record: { id: "e", source: "a", target: "b", targetHandle: "in", data: { weight: 1 } } }]);
    const [edge] = canvas.store.getState().edges;
    if (edge === undefined) throw new Error("There is no wire.");
    canvas.onReconnect(edge, { source: "b", target: "a", sourceHandle: null, targetHandle: null });
    expect(ops()).toEqual([
      [{ op: "update", kind: "edge", id: "e", set: { "/source": "b", "/target": "a" }, unset: ["/targetHandle"] }],
    ]);

    canvas.setEdges((edges) => reconnectEdge(edge, { source: "a", target: "a", sourceHandle: null, targetHandle: null }, edges));
    await Promise.resolve();
    expect(ops()[1]).toMatchObject([
      { op: "add", kind: "edge", record: { id: "xy-edge__a-a", data: { weight: 1 } } },
      { op: "remove", kind: "edge", ids: ["e"] },
    ]);
  });

  it("from a viewer's screen are nobody's business", async () => {
    server.socket.say({ type: "role", role: "viewer" });
    canvas.setNodes([]);
    canvas.onNodesChange([{ type: "dimensions", id: "a", dimensions: { width: 9, height: 9 }, setAttributes: true, resizing: false }]);
    drag("a", 10, true);
    drag("a", 10, false);
    await vi.advanceTimersByTimeAsync(500);
    expect(ops()).toEqual([]);
    expect(server.heard("presence").some(({ set }) => set.drag)).toBe(false);
    expect(shown("a")?.position.x).toBe(0);
  });

  it("of an edge dragged on the left write place and size together, and not what others did meanwhile", () => {
    canvas.onNodesChange([
      { type: "position", id: "a", position: { x: -20, y: 0 } },
      { type: "dimensions", id: "a", dimensions: { width: 300, height: 190 }, resizing: true, setAttributes: true },
    ]);
    canvas.onNodesChange([{ type: "dimensions", id: "a", dimensions: { width: 300, height: 190 }, resizing: false }]);
    expect(ops()).toEqual([
      [{ op: "update", kind: "node", id: "a", set: { "/position": { x: -20, y: 0 }, "/width": 300, "/height": 190 }, parentId: null }],
    ]);
  });

  it("keep what another resized while the node was dragged", () => {
    drag("a", 10, true);
    server.ops(11, [{ op: "update", kind: "node", id: "a", set: { "/width": 500, "/height": 400 } }]);
    drag("a", 30, false);
    expect(ops()).toMatchObject([[{ set: { "/position": { x: 30, y: 0 } } }]]);
    expect(shown("a")).toMatchObject({ width: 500, position: { x: 30 } });
  });
});

describe("two people who drag the same node", () => {
  const theirs = (x: number | null): void =>
    server.socket.say({ type: "frame", presence: { s2: { drag: x === null ? null : { a: { x, y: 0 } } } } });
  const at = (): number | undefined => shown("a")?.position.x;

  it("each see their own hand, and after letting go their own place until the server has spoken", async () => {
    drag("a", 10, true);
    theirs(700);
    expect(at()).toBe(10);
    server.ops(11, [{ op: "update", kind: "node", id: "a", set: { "/position": { x: 700, y: 0 } } }]); // they let go first
    expect(at()).toBe(10);
    theirs(null);
    theirs(710); // and take it again
    drag("a", 30, true);
    drag("a", 30, false);
    expect(at()).toBe(30);
    theirs(720);
    expect(at()).toBe(30);

    server.result({ clientSeq: 1, seq: 12, outcome: "commit" });
    await Promise.resolve();
    await Promise.resolve();
    vi.advanceTimersByTime(70);
    expect(at()).toBe(720); // they are still holding it
    theirs(null);
    expect(at()).toBe(30);
    server.ops(13, [{ op: "update", kind: "node", id: "a", set: { "/position": { x: 725, y: 0 } } }]);
    expect(at()).toBe(725);
  });

  it("do not take each other's old place for a new one when both let go at once", async () => {
    const user = { id: "u2", name: "Mara", color: "#f00" };
    server.socket.say({ type: "frame", presence: { s2: { user, drag: { a: { x: 700, y: 0 } } } } });
    drag("a", 10, true);
    drag("a", 30, false);
    server.ops(11, [{ op: "update", kind: "node", id: "a", set: { "/position": { x: 700, y: 0 } } }]);
    server.result({ clientSeq: 1, seq: 12, outcome: "commit" });
    await vi.advanceTimersByTimeAsync(30); // the frame that ends their drag is still on its way
    expect(at()).toBe(30);
  });

  it("never see a place twice on the way", () => {
    const seen: (number | undefined)[] = [];
    const stop = canvas.store.subscribe(() => seen.push(at()));
    for (let x = 1; x <= 20; x++) {
      drag("a", x, true);
      theirs(1000 - x);
      if (x % 5 === 0) server.ops(10 + x / 5, [{ op: "update", kind: "node", id: "a", set: { "/position": { x: 900 + x, y: 0 } } }]);
    }
    drag("a", 20, false);
    server.result({ clientSeq: 1, seq: 15, outcome: "commit" });
    stop();
    expect(seen).toEqual(seen.toSorted((a = 0, b = 0) => a - b));
    expect(at()).toBe(20);
  });
});

it("undo and redo go through the canvas, an arrow key that still rests included", () => {
  drag("a", 5, false);
  canvas.undo();
  expect(shown("a")?.position.x).toBe(0);
  expect(canvas.store.getState().room.canRedo).toBe(true);
  canvas.redo();
  expect(shown("a")?.position.x).toBe(5);
});

it("draws a wire under React Flow's own id, so that two people's same wire is one", () => {
  canvas.onConnect({ source: "a", target: "b", sourceHandle: null, targetHandle: null });
  expect(server.heard("push")).toMatchObject([{ ops: [{ record: { id: "xy-edge__a-b", source: "a", target: "b" } }] }]);
});

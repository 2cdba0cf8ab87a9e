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
  it("is presence while it lasts and one push at its end", () => {
    drag("a", 10, true);
    drag("a", 20, true);
    vi.advanceTimersByTime(40);
    expect(server.heard("push")).toEqual([]);
    expect(server.heard("presence").at(-1)?.set).toEqual({ drag: { a: { x: 20, y: 0 } } });

    drag("a", 30, false);

    expect(server.heard("push")).toMatchObject([
      { ops: [{ op: "update", kind: "node", id: "a", set: { "/position": { x: 30, y: 0 } }, parentId: null }] },
    ]);
    vi.advanceTimersByTime(40);
    expect(server.heard("presence").at(-1)?.set).toEqual({ drag: null });
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
    expect(shown("a")?.position.x).toBe(70);
    server.ops(11, [{ op: "update", kind: "node", id: "a", set: { "/position": { x: 80, y: 0 } } }]);
    server.socket.say({ type: "frame", presence: { s2: { drag: null } } });
    expect(shown("a")?.position.x).toBe(80);
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

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeServer, node, setPrompt } from "./FakeServer";
import { apply } from "./ops";
import { isBag } from "./pointer";
import { Room } from "./room";
import type { GraphDocument, NodeRecord, Op } from "./types";

let server: FakeServer;
let room: Room;
/** The server's document, and what each of its transactions removed. */
let stored: GraphDocument;
let removed: Map<number, Op[]>;
let seq: number;
let answered: number;
let notices: string[];

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  notices = [];
  room = new Room({ url: "ws://easel", open: server.open, newClientId: () => "c1", onNotice: (code) => notices.push(code) });
  room.join();
});

afterEach(() => {
  room.leave();
  vi.useRealTimers();
});

function open(nodes: NodeRecord[]): void {
  stored = { workflow: { name: "Canvas", viewport: null }, nodes, edges: [] };
  removed = new Map();
  seq = 10;
  answered = 0;
  server.admit(nodes);
}

/** What the ops really do: a restore becomes the adds it amounts to. */
function effective(ops: Op[]): Op[] {
  return ops.flatMap((op) => (op.op === "restore" ? (removed.get(op.seq) ?? []) : [op]));
}

function commit(ops: Op[]): Op[] {
  const before = stored;
  const done = effective(ops);
  const gone = done.flatMap((op) => {
    const was = stored;
    stored = apply(stored, [op]);
    const left = new Set([...stored.nodes, ...stored.edges].map(({ id }) => id));
    const adds = [
      ...was.nodes.map((record, index) => ({ op: "add" as const, kind: "node" as const, record, index })),
      ...was.edges.map((record, index) => ({ op: "add" as const, kind: "edge" as const, record, index })),
    ];
    return adds.filter(({ record }) => !left.has(record.id));
  });
  if (stored === before) return []; // a push without effect takes no number
  removed.set(++seq, gone.toSorted((one, other) => (one.kind === other.kind ? 0 : one.kind === "node" ? -1 : 1)));
  return done;
}

/** The server answers everything that it has heard. */
function answer(): void {
  for (const { clientSeq, ops } of server.heard("push").slice(answered)) {
    answered++;
    const isRestore = ops.some((op) => op.op === "restore");
    const done = commit(ops);
    server.result({ clientSeq, seq, outcome: isRestore ? "rebase" : "commit", ...(isRestore && { ops: done }) });
  }
}

function push(...ops: Op[]): void {
  void room.push(ops);
  answer();
}

function undo(): void {
  void room.undo();
  answer();
}

function redo(): void {
  void room.redo();
  answer();
}

/** Somebody else's transaction, after everything that was answered. */
function others(...ops: Op[]): void {
  commit(ops);
  server.ops(seq, ops);
}

/** The order of a record's keys says nothing. */
const text = (document: GraphDocument): string =>
  JSON.stringify([document.workflow.name, ...document.nodes, ...document.edges], (_key, value: unknown) =>
    isBag(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value,
  );
const inIdOrder = ({ workflow, nodes, edges }: GraphDocument): string =>
  text({ workflow, nodes: nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1)), edges: edges.toSorted((a, b) => (a.id < b.id ? -1 : 1)) });
const shown = (id: string): NodeRecord | undefined => room.getState().document.nodes.find((each) => each.id === id);
const lastPush = () => server.heard("push").at(-1);
const move = (id: string, x: number, set: Record<string, unknown> = {}): Op => ({
  op: "update", kind: "node", id, set: { "/position": { x, y: 0 }, ...set }, parentId: null,
});
const wire = (id: string, source: string, target: string): Op => ({ op: "add", kind: "edge", record: { id, source, target } });

describe("undo", () => {
  beforeEach(() => open([node("a", { prompt: "fox" }), node("b"), node("g", {}, { position: { x: 100, y: 0 } })]));

  it("of an update sets what there was, or nothing where there was nothing, and names the transaction", () => {
    push(setPrompt("a", "owl"));
    push(setPrompt("b", "hare"));
    undo();
    expect(lastPush()).toMatchObject({ undoOf: 12, ops: [{ op: "update", id: "b", set: {}, unset: ["/data/prompt"] }] });
    undo();
    expect(lastPush()).toMatchObject({ undoOf: 11, ops: [setPrompt("a", "fox")] });
    expect(room.getState()).toMatchObject({ canUndo: false, canRedo: true });
  });

  it("of an add removes it, and redo brings the very same back, wires and all", () => {
    push({ op: "add", kind: "node", record: node("new") }, wire("e", "a", "new"));
    undo();
    expect(lastPush()?.ops).toEqual([{ op: "remove", kind: "edge", ids: ["e"] }, { op: "remove", kind: "node", ids: ["new"] }]);
    redo();
    expect(lastPush()).toMatchObject({ undoOf: 12, ops: [{ op: "restore", seq: 12 }] });
    expect(room.getState().document.edges).toHaveLength(1);
  });

  it("of a removal is a restore, shown before the server answers", () => {
    push(wire("e", "a", "b"));
    push({ op: "remove", kind: "node", ids: ["a"] });
    void room.undo();
    expect(lastPush()).toMatchObject({ undoOf: 12, ops: [{ op: "restore", seq: 12 }] });
    expect(room.getState().document.nodes.map(({ id }) => id)).toEqual(["a", "b", "g"]);
    expect(room.getState().document.edges).toHaveLength(1);
    answer();
    expect(room.getState().document.nodes.map(({ id }) => id)).toEqual(["a", "b", "g"]);
  });

  it("of a removal that is not answered yet adds the records again", () => {
    void room.push([{ op: "remove", kind: "node", ids: ["a"] }]);
    void room.undo();
    expect(lastPush()?.ops).toEqual([{ op: "add", kind: "node", record: node("a", { prompt: "fox" }), index: 0 }]);
    expect(lastPush()?.undoOf).toBeUndefined();
  });

  it("of a drag of many nodes is one step", () => {
    push(move("a", 50), move("b", 60));
    undo();
    expect(shown("a")?.position.x).toBe(0);
    expect(shown("b")?.position.x).toBe(0);
  });

  it("leaves alone what others have written since, in the same register or above and below it", () => {
    push(move("a", 50, { "/data/prompt": "owl" }));
    others({ op: "update", kind: "node", id: "a", set: { "/parentId": "g" } });
    undo();
    expect(lastPush()?.ops).toEqual([setPrompt("a", "fox")]);
    expect(shown("a")).toMatchObject({ position: { x: 50 }, parentId: "g" });
  });

  it("leaves alone what others wrote even when they wrote the same", () => {
    push(setPrompt("a", "owl"));
    others(setPrompt("a", "hare"));
    others(setPrompt("a", "owl"));
    undo();
    expect(shown("a")?.data.prompt).toBe("owl");
  });

  it("leaves alone what others wrote while nobody was looking", () => {
    push(setPrompt("a", "owl"));
    server.ops(13, []); // something is missing: a fresh copy is asked for
    server.welcome({ seq: 14 });
    server.snapshot([node("a", { prompt: "hare" })]);
    void room.undo();
    expect(server.heard("push")).toHaveLength(1);
    expect(shown("a")?.data.prompt).toBe("hare");
  });

  it("goes back to what another wrote just before", () => {
    void room.push([setPrompt("a", "owl")]);
    others(setPrompt("a", "hare"));
    answer();
    undo();
    expect(shown("a")?.data.prompt).toBe("hare");
  });

  it("does not bring back what another removed first", () => {
    void room.push([{ op: "remove", kind: "node", ids: ["a"] }]);
    others({ op: "remove", kind: "node", ids: ["a"] });
    server.result({ clientSeq: 1, seq, outcome: "commit" });
    void room.undo();
    expect(server.heard("push")).toHaveLength(1);
    expect(shown("a")).toBeUndefined();
  });

  it("does not take along what others have put into a group", () => {
    push({ op: "add", kind: "node", record: node("mine") });
    others({ op: "update", kind: "node", id: "b", set: { "/parentId": "mine" } });
    undo();
    expect(shown("mine")).toBeDefined();
    expect(shown("b")).toBeDefined();
  });

  it("passes over a step that has nothing left to take back", () => {
    push(setPrompt("a", "owl"));
    push(setPrompt("b", "hare"));
    others({ op: "remove", kind: "node", ids: ["b"] });
    undo();
    expect(shown("a")?.data.prompt).toBe("fox");
  });

  it("PG9: says so when others have written over all of it", () => {
    push(setPrompt("a", "owl"));
    others(setPrompt("a", "hare"));
    const told = notices.length;
    const pushes = server.heard("push").length;
    expect(room.undo()).toBeUndefined();
    expect(notices.slice(told)).toEqual(["NOTHING_LEFT"]);
    expect(server.heard("push")).toHaveLength(pushes);
    expect(room.undo()).toBeUndefined();
    expect(notices.slice(told)).toHaveLength(1); // there was nothing to begin with
  });

  it("never touches what a job wrote", () => {
    push(setPrompt("a", "owl"));
    others({ op: "update", kind: "node", id: "a", set: { "/data/status": "completed", "/data/imageUrl": "/objects/1" } });
    undo();
    expect(shown("a")?.data).toEqual({ prompt: "fox", status: "completed", imageUrl: "/objects/1" });
    undo();
    expect(shown("a")?.data.status).toBe("completed");
  });

  it("forgets a step that was refused", () => {
    void room.push([setPrompt("a", "owl")]);
    server.result({ clientSeq: 1, seq: 10, outcome: "reject", error: { code: "FORBIDDEN", detail: "No." } });
    expect(room.getState().canUndo).toBe(false);
  });

  it("takes back what a rebase made of the push", () => {
    void room.push([move("a", 50)]);
    const converted = move("a", 20);
    commit([converted]);
    server.result({ clientSeq: 1, seq, outcome: "rebase", ops: [converted] });
    answered = 1;
    undo();
    expect(shown("a")?.position.x).toBe(0);
  });

  it("is cleared for redo by a new edit", () => {
    push(setPrompt("a", "owl"));
    undo();
    push(setPrompt("b", "hare"));
    expect(room.getState().canRedo).toBe(false);
  });

  it("renames back", () => {
    push({ op: "workflow", set: { "/name": "Poster" } });
    undo();
    expect(room.getState().document.workflow.name).toBe("Canvas");
  });

  it("remembers two hundred steps", () => {
    for (let x = 1; x <= 230; x++) push(move("a", x));
    for (let count = 0; count < 230; count++) undo();
    expect(shown("a")?.position.x).toBe(30);
  });
});

describe("typing", () => {
  beforeEach(() => open([node("a", { prompt: "" }), node("b", { prompt: "" })]));
  const type = (prompt: string, id = "a"): void => {
    push(setPrompt(id, prompt));
    vi.advanceTimersByTime(400);
  };

  it("without a long pause is one step", () => {
    ["a", "a red", "a red fox"].forEach((prompt) => type(prompt));
    undo();
    expect(shown("a")?.data.prompt).toBe("");
    redo();
    expect(shown("a")?.data.prompt).toBe("a red fox");
  });

  it("after a pause, or elsewhere, is another", () => {
    type("a red");
    vi.advanceTimersByTime(2000);
    type("a red fox");
    type("owl", "b");
    undo();
    undo();
    expect(shown("a")?.data.prompt).toBe("a red");
    expect(shown("b")?.data.prompt).toBe("");
  });
});

it.each(Array.from({ length: 300 }, (_, seed) => seed))("n undos and n redos leave the same document, seed %i", (seed) => {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
  open([node("n0"), node("n1"), node("n2", {}, { parentId: "n1" })]);
  const anything = (step: number, { nodes }: GraphDocument): Op => {
    const record = node(`m${step}`, {}, random(2) && nodes[0] ? { parentId: nodes[0].id } : {});
    const [id, other] = [nodes[random(nodes.length)]?.id, nodes[random(nodes.length)]?.id];
    if (id === undefined || other === undefined) return { op: "add", kind: "node", record };
    const ops: Op[] = [
      setPrompt(id, `${random(4)}`),
      { op: "update", kind: "node", id, set: { "/width": random(9), "/height": 1 }, unset: ["/data/prompt"] },
      move(id, random(90)),
      { op: "add", kind: "node", record, index: random(4) },
      wire(`e${step}`, id, other),
      { op: "remove", kind: "node", ids: [id] },
      { op: "update", kind: "node", id, set: { "/parentId": other, "/position": { x: 1, y: 1 } }, parentId: other },
      { op: "update", kind: "node", id, unset: ["/parentId"] },
    ];
    return ops[random(ops.length)] ?? setPrompt(id, "never");
  };
  for (let step = 0; step < 12; step++) {
    const { document } = room.getState();
    const ops = [anything(step, document)];
    if (random(3) === 0) ops.push(anything(step + 100, apply(document, ops)));
    void room.push(ops);
    if (random(4) > 0) answer();
  }
  answer();
  const before = room.getState().document;
  let undone = 0;
  const list = { isReordered: false }; // only by a new parent further down; no op can move a node back up
  const turn = (act: () => void): void => {
    const was = room.getState().document.nodes.map(({ id }) => id);
    act();
    const is = room.getState().document.nodes.map(({ id }) => id);
    list.isReordered ||= was.filter((id) => is.includes(id)).join() !== is.filter((id) => was.includes(id)).join();
  };
  for (; room.getState().canUndo; undone++) turn(undo);
  for (let step = 0; step < undone; step++) turn(redo);

  const after = room.getState().document;
  expect(undone).toBeGreaterThan(2);
  expect(inIdOrder(after)).toBe(inIdOrder(before));
  expect([text(before), list.isReordered && text(after)]).toContain(text(after));
  expect(text(after)).toBe(text(stored));
  expect(room.getState().canRedo).toBe(false);
});

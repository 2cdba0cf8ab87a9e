import { describe, expect, it } from "vitest";
import { node } from "./FakeServer";
import { apply, keepIdentity, withoutLocalFields } from "./ops";
import type { GraphDocument, NodeRecord, Op } from "./types";

function graph(nodes: NodeRecord[], ends: [string, string][] = []): GraphDocument {
  return { workflow: {}, nodes, edges: ends.map(([source, target]) => ({ id: `${source}-${target}`, source, target })) };
}

const ids = (document: GraphDocument): string[] => document.nodes.map(({ id }) => id);

describe("add", () => {
  it("appends, or inserts at the index", () => {
    const after = apply(graph([node("a"), node("b")]), [
      { op: "add", kind: "node", record: node("c") },
      { op: "add", kind: "node", record: node("d"), index: 1 },
    ]);
    expect(ids(after)).toEqual(["a", "d", "b", "c"]);
  });

  it.each([0, 1])("with index %i, at or before the parent's place, goes right after the parent", (index) => {
    const record = node("c", {}, { parentId: "g" });
    const after = apply(graph([node("a"), node("g"), node("b")]), [{ op: "add", kind: "node", record, index }]);
    expect(ids(after)).toEqual(["a", "g", "c", "b"]);
  });

  it("of an id that is there with another content has no effect: the server refuses it", () => {
    const before = graph([node("a", { prompt: "fox" })]);
    expect(apply(before, [{ op: "add", kind: "node", record: node("a", { prompt: "owl" }) }])).toBe(before);
  });

  it("of a record that is there already has no effect", () => {
    const before = graph([node("a", { prompt: "fox" })]);
    expect(apply(before, [{ op: "add", kind: "node", record: node("a", { prompt: "fox" }) }])).toBe(before);
  });
});

describe("update", () => {
  it("sets and unsets by pointer and shares everything it did not touch", () => {
    const before = graph([node("a", { prompt: "fox", size: { width: 1 } }), node("b")], [["a", "b"]]);

    const after = apply(before, [
      { op: "update", kind: "node", id: "a", set: { "/data/size/width": 2 }, unset: ["/data/prompt"] },
    ]);

    expect(after.nodes[0]?.data).toEqual({ size: { width: 2 } });
    expect(after.nodes[1]).toBe(before.nodes[1]);
    expect(after.edges).toBe(before.edges);
    expect(before.nodes[0]?.data).toEqual({ prompt: "fox", size: { width: 1 } });
  });

  it("reads escaped pointers", () => {
    const after = apply(graph([node("a")]), [{ op: "update", kind: "node", id: "a", set: { "/data/x~1y~0z": 1 } }]);
    expect(after.nodes[0]?.data).toEqual({ "x/y~z": 1 });
  });

  it.each<[string, Op]>([
    ["of a missing record", { op: "update", kind: "node", id: "gone", set: { "/data/a": 1 } }],
    ["to the value that is there", { op: "update", kind: "node", id: "a", set: { "/position": { x: 0, y: 0 } } }],
    ["below a missing parent", { op: "update", kind: "node", id: "a", set: { "/data/no/such": 1 } }],
    ["into an array", { op: "update", kind: "node", id: "a", set: { "/data/list/0": 1 } }],
    ["of a forbidden key", { op: "update", kind: "node", id: "a", set: { "/data/__proto__": { x: 1 } } }],
    ["of an edge that is gone", { op: "update", kind: "edge", id: "gone", set: { "/data/a": 1 } }],
  ])("%s has no effect", (_what, op) => {
    const before = graph([node("a", { list: [0] })]);
    expect(apply(before, [op])).toBe(before);
  });

  it("opens data for a node that has none", () => {
    const bare = { id: "a", position: { x: 0, y: 0 } } as NodeRecord;
    const after = apply(graph([bare]), [{ op: "update", kind: "node", id: "a", set: { "/data/prompt": "fox" } }]);
    expect(after.nodes[0]?.data).toEqual({ prompt: "fox" });
  });

  it("carries a position over when the parent has changed since", () => {
    const before = graph([
      node("g", {}, { position: { x: 100, y: 50 } }),
      node("a", {}, { parentId: "g", position: { x: 5, y: 5 } }),
    ]);
    const moved: Op = { op: "update", kind: "node", id: "a", set: { "/position": { x: 130, y: 90 } }, parentId: null };
    expect(apply(before, [moved]).nodes[1]?.position).toEqual({ x: 30, y: 40 });
  });

  it("leaves a position out that was computed in a parent which is gone", () => {
    const before = graph([node("a", {}, { position: { x: 1, y: 2 } })]);
    const moved: Op = { op: "update", kind: "node", id: "a", set: { "/position": { x: 9, y: 9 } }, parentId: "gone" };
    expect(apply(before, [moved])).toBe(before);
  });

  it("that gives a node a parent further down moves the node and all inside it to the end, in their order", () => {
    const family = [node("a"), node("b"), node("a2", {}, { parentId: "a" }), node("g"), node("c"), node("a1", {}, { parentId: "a" })];
    const after = apply(graph(family), [{ op: "update", kind: "node", id: "a", set: { "/parentId": "g" } }]);
    expect(ids(after)).toEqual(["b", "g", "c", "a", "a2", "a1"]);
  });

  it("that gives a node a parent further up moves nothing", () => {
    const after = apply(graph([node("g"), node("a"), node("b")]), [{ op: "update", kind: "node", id: "b", set: { "/parentId": "g" } }]);
    expect(ids(after)).toEqual(["g", "a", "b"]);
  });

  it("that would put a node inside itself has no effect", () => {
    const before = graph([node("a"), node("b", {}, { parentId: "a" })]);
    expect(apply(before, [{ op: "update", kind: "node", id: "a", set: { "/parentId": "b" } }])).toBe(before);
  });
});

describe("remove", () => {
  it("takes children, grandchildren and all their edges along", () => {
    const before = graph(
      [node("g"), node("a", {}, { parentId: "g" }), node("b", {}, { parentId: "a" }), node("c"), node("d")],
      [["b", "c"], ["c", "d"]],
    );
    const after = apply(before, [{ op: "remove", kind: "node", ids: ["g"] }]);
    expect(ids(after)).toEqual(["c", "d"]);
    expect(after.edges.map(({ id }) => id)).toEqual(["c-d"]);
  });

  it("of something missing has no effect", () => {
    const before = graph([node("a")]);
    expect(apply(before, [{ op: "remove", kind: "node", ids: ["x"] }, { op: "remove", kind: "edge", ids: ["y"] }])).toBe(before);
  });
});

describe("workflow", () => {
  it("renames", () => {
    expect(apply(graph([]), [{ op: "workflow", set: { "/name": "Poster" } }]).workflow.name).toBe("Poster");
  });
});

describe("identity", () => {
  it("is kept for records that came back equal", () => {
    const before = graph([node("a", { prompt: "fox" }), node("b")], [["a", "b"]]);
    const copy = structuredClone(before);
    expect(keepIdentity(before, copy)).toBe(before);

    const changed = keepIdentity(before, { ...copy, nodes: [node("a", { prompt: "owl" }), ...copy.nodes.slice(1)] });
    expect(changed.nodes[0]).not.toBe(before.nodes[0]);
    expect(changed.nodes[1]).toBe(before.nodes[1]);
    expect(changed.edges).toBe(before.edges);
  });
});

it("local fields never leave the screen", () => {
  expect(withoutLocalFields(node("a", {}, { selected: true, measured: { width: 1 }, zIndex: 3 }))).toEqual(
    node("a", {}, { zIndex: 3 }),
  );
});

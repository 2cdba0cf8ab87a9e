import { describe, expect, it } from "vitest";
import { apply, EMPTY_DOCUMENT, type EdgeRecord, type GraphDocument, type NodeRecord } from "../client";
import { fragmentOf, middleOf, placeOf, planted, readFragment, textOf } from "./fragment";

const node = (id: string, more: Partial<NodeRecord> = {}): NodeRecord => ({ id, position: { x: 10, y: 20 }, data: {}, ...more });
const wire = (source: string, target: string): EdgeRecord => ({ id: `${source}-${target}`, source, target, sourceHandle: "out" });

const DOCUMENT: GraphDocument = {
  ...EMPTY_DOCUMENT,
  nodes: [
    node("frame", { type: "group", width: 400, height: 300, position: { x: 100, y: 100 } }),
    node("inner", { parentId: "frame" }),
    node("deep", { parentId: "inner" }),
    node("far", { position: { x: 900, y: 0 } }),
  ],
  edges: [wire("inner", "deep"), wire("deep", "far")],
};

describe("a fragment", () => {
  it("takes along what is inside, and the wires among them alone", () => {
    const { nodes, edges } = fragmentOf(DOCUMENT, ["frame"]);
    expect(nodes.map(({ id, parentId }) => [id, parentId])).toEqual([["frame", undefined], ["inner", "frame"], ["deep", "inner"]]);
    expect(edges.map(({ id }) => id)).toEqual(["inner-deep"]);
  });

  it("stands on the canvas itself when its parent stays behind", () => {
    const { nodes } = fragmentOf(DOCUMENT, ["inner"]);
    expect(nodes[0]).toEqual(node("inner", { position: { x: 110, y: 120 } }));
    expect(nodes[1]?.position).toEqual({ x: 10, y: 20 });
  });

  it("is planted under fresh ids, whole, and moved once", () => {
    const { ids, ops } = planted(fragmentOf(DOCUMENT, ["frame", "far"]), { x: 5, y: -5 });
    const { nodes, edges } = apply(DOCUMENT, ops);
    const added = nodes.slice(DOCUMENT.nodes.length);

    expect(added).toHaveLength(4);
    expect(new Set(nodes.map(({ id }) => id)).size).toBe(8);
    expect(ids).toEqual([added[0]?.id, added[3]?.id]);
    expect(added[0]?.position).toEqual({ x: 105, y: 95 });
    expect(added[1]).toMatchObject({ parentId: added[0]?.id, position: { x: 10, y: 20 } });
    expect(edges.slice(2).map(({ source, target, sourceHandle }) => [source, target, sourceHandle])).toEqual([
      [added[1]?.id, added[2]?.id, "out"],
      [added[2]?.id, added[3]?.id, "out"],
    ]);
  });

  it("keeps a duplicate in the group of its original", () => {
    const { ops } = planted({ nodes: [node("inner", { parentId: "frame" })], edges: [] }, { x: 32, y: 32 });
    expect(apply(DOCUMENT, ops).nodes.at(-1)).toMatchObject({ parentId: "frame", position: { x: 42, y: 52 } });
  });

  it("shows what a run made, but does not pretend to be that run", () => {
    const running = node("a", { data: { prompt: "a fox", jobId: "run_1", status: "running", updatedAt: "now" } });
    const done = node("b", { data: { imageUrl: "/objects/x", jobId: "run_2", status: "completed", updatedAt: "now" } });
    const foreign = node("c", { data: { status: "running", error: "mine" } });
    const { nodes } = apply(EMPTY_DOCUMENT, planted({ nodes: [running, done, foreign], edges: [] }, { x: 0, y: 0 }).ops);
    expect(nodes.map(({ data }) => data)).toEqual([{ prompt: "a fox" }, { imageUrl: "/objects/x", status: "completed" }, foreign.data]);
  });

  it("comes back from the clipboard as it went there", () => {
    const fragment = fragmentOf(DOCUMENT, ["frame"]);
    expect(readFragment(textOf(fragment))).toEqual(fragment);
  });

  it("is read from what other products write, and mended where it is broken", () => {
    const text = JSON.stringify({
      nodes: [node("child", { parentId: "late" }), node("late"), node("lost", { parentId: "nowhere" }), { id: "bare", position: { x: 0, y: 0 } }],
      edges: [wire("child", "late"), wire("child", "nowhere"), "nonsense"],
    });
    const found = readFragment(text);
    expect(found?.nodes.map(({ id, parentId }) => [id, parentId])).toEqual([["late", undefined], ["child", "late"], ["lost", undefined], ["bare", undefined]]);
    expect(found?.edges.map(({ id }) => id)).toEqual(["child-late"]);
  });

  it.each(["", "a fox", "{", "{}", '{"nodes":[]}', '{"nodes":[1]}', '{"nodes":[{"id":"a","position":{"x":"1","y":0}}]}', "[1]"])("is not %s", (text) => {
    expect(readFragment(text)).toBeNull();
  });

  it("has its middle where its loose nodes are", () => {
    expect(middleOf(fragmentOf(DOCUMENT, ["frame"]))).toEqual({ x: 300, y: 250 });
    expect(middleOf({ nodes: [node("a")], edges: [] })).toEqual({ x: 150, y: 115 });
  });

  it("is found where it stands on the canvas", () => {
    const byId = new Map(DOCUMENT.nodes.map((each) => [each.id, each]));
    expect(placeOf(byId.get("deep") ?? node("?"), byId)).toEqual({ x: 120, y: 140 });
  });
});

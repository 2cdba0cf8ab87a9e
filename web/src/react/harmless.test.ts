import { describe, expect, it } from "vitest";
import type { EdgeRecord, NodeRecord } from "../client";
import { harmlessEdge, harmlessNode } from "./harmless";

const node = (more: Record<string, unknown>): NodeRecord => ({ id: "a", position: { x: 0, y: 0 }, data: {}, ...more });
const edge = (more: Record<string, unknown>): EdgeRecord => ({ id: "e", source: "a", target: "b", ...more });

describe("what others wrote", () => {
  it("is the same object when there is nothing in the way", () => {
    const styled = node({
      style: { background: "#fff", width: 120, "--accent": "red" },
      className: "mine",
      domAttributes: { "data-kind": "x", "aria-label": "A fox" },
      extent: [[0, 0], [100, 100]],
      sourcePosition: "right",
      dragHandle: ".grip",
      width: 120,
      foreign: { deep: [1] },
    });
    const wired = edge({
      label: "yes",
      markerEnd: { type: "arrowclosed", color: "#333" },
      pathOptions: { borderRadius: 5 },
      style: { strokeWidth: 2 },
      animated: true,
    });
    expect(harmlessNode(styled)).toBe(styled);
    expect(harmlessEdge(wired)).toBe(wired);
  });

  it.each([
    { domAttributes: { dangerouslySetInnerHTML: { __html: "<img src=x>" } } },
    { domAttributes: { onClick: "alert(1)", children: "x", style: "color:red", ref: "x" } },
    { domAttributes: "onclick" },
    { style: "color: red" },
    { style: [1] },
    { style: { position: "fixed", inset: 0, top: 0, content: "x" } },
    { style: { background: "URL(https://elsewhere.example/spy.png)", backgroundImage: "image-set('x' 1x)" } },
    { style: { color: { toString: 1 } } },
    { className: { toString: 1 } },
    { className: 5 },
    { ariaLabel: {}, ariaRole: "x y", zIndex: "9", hidden: "no", width: "100%", dragHandle: "[", extent: [1], origin: "x" },
    { handles: [{}], sourcePosition: "up", type: 5 },
  ])("leaves out of a node what React cannot draw or should not: %j", (more) => {
    const shown = harmlessNode(node(more)) as Record<string, unknown>;
    for (const key of Object.keys(more)) expect([undefined, {}]).toContainEqual(shown[key]);
    expect(shown.position).toEqual({ x: 0, y: 0 });
  });

  it.each([
    { label: { an: "object" } },
    { label: ["list"] },
    { labelStyle: "x", labelBgStyle: 1, labelBgPadding: [1], labelShowBg: "x", labelBgBorderRadius: "1" },
    { markerEnd: { type: "url" }, markerStart: "x') no-repeat" },
    { pathOptions: "x", interactionWidth: "x", reconnectable: "both", sourceHandle: 1, targetHandle: {}, type: [] },
    { domAttributes: { onMouseEnter: "x" } },
  ])("leaves out of an edge what React cannot draw or should not: %j", (more) => {
    const shown = harmlessEdge(edge(more)) as Record<string, unknown>;
    for (const key of Object.keys(more)) expect([undefined, {}]).toContainEqual(shown[key]);
  });

  it("keeps the rest of a style", () => {
    expect(harmlessNode(node({ style: { position: "fixed", color: "red" } })).style).toEqual({ color: "red" });
  });
});

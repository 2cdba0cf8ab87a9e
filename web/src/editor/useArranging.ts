import { useReactFlow } from "@xyflow/react";
import { newId, type NodeRecord, type Op, type XY } from "../client";
import { useCanvas } from "../react";
import { say } from "../ui/toasts";
import { arranged, boundsOf, type Alignment, type Box } from "./arrange";
import { selectedIds } from "./edits";

const FRAME = { side: 32, top: 40 }; // the ground between a group's edge and what is in it

/** Lining up, grouping and ungrouping of what is selected; each is one push. */
export function useArranging() {
  const canvas = useCanvas();
  const flow = useReactFlow();

  const boxOf = (id: string): Box | null => {
    const node = flow.getInternalNode(id);
    if (node === undefined) return null;
    const { width = 0, height = 0 } = node.measured;
    return { id, ...node.internals.positionAbsolute, width, height };
  };
  const originOf = (parentId: string | null | undefined): XY => (parentId == null ? { x: 0, y: 0 } : (boxOf(parentId) ?? { x: 0, y: 0 }));
  const records = (): readonly NodeRecord[] => canvas.room.getState().document.nodes;

  /** The outermost of what is selected: what is inside moves along. */
  const chosen = (): NodeRecord[] => {
    const ids = new Set(selectedIds(canvas));
    const byId = new Map(records().map((node) => [node.id, node]));
    const isInside = (node: NodeRecord): boolean => {
      const seen = new Set<string>();
      for (let id = node.parentId; id != null && !seen.has(id); id = byId.get(id)?.parentId) {
        if (ids.has(id)) return true;
        seen.add(id);
      }
      return false;
    };
    return records().filter((node) => ids.has(node.id) && !isInside(node));
  };
  const placed = (node: NodeRecord, parentId: string | null, at: XY): Op => ({
    op: "update",
    kind: "node",
    id: node.id,
    set: { "/position": at, ...(parentId !== null && parentId !== node.parentId && { "/parentId": parentId }) },
    ...(parentId === null && node.parentId != null && { unset: ["/parentId"] }),
    parentId,
  });

  const align = (alignment: Alignment): void => {
    const nodes = chosen();
    const boxes = nodes.flatMap((node) => boxOf(node.id) ?? []);
    const places = arranged(boxes, alignment);
    const ops = nodes.flatMap((node): Op[] => {
      const at = places.get(node.id);
      if (at === undefined) return [];
      const { x, y } = originOf(node.parentId);
      return [placed(node, node.parentId ?? null, { x: at.x - x, y: at.y - y })];
    });
    if (ops.length > 0) void canvas.push(ops);
  };

  const group = (): void => {
    const nodes = chosen();
    const boxes = nodes.flatMap((node) => boxOf(node.id) ?? []);
    if (boxes.length === 0) return;
    const parents = new Set(nodes.map((node) => node.parentId ?? null));
    const parentId = parents.size === 1 ? ([...parents][0] ?? null) : null;
    const origin = originOf(parentId);
    const bounds = boundsOf(boxes);
    const corner = { x: Math.round(bounds.x - FRAME.side), y: Math.round(bounds.y - FRAME.top) };
    const id = `n_${newId()}`;
    const record: NodeRecord = {
      id,
      type: "group",
      position: { x: corner.x - origin.x, y: corner.y - origin.y },
      data: { label: "Group" },
      width: Math.round(bounds.width + 2 * FRAME.side),
      height: Math.round(bounds.height + FRAME.top + FRAME.side),
      ...(parentId !== null && { parentId }),
    };
    const behind = Math.min(...nodes.map((node) => records().indexOf(node)));
    const ops: Op[] = [{ op: "add", kind: "node", record, index: behind }];
    for (const node of nodes) {
      const box = boxes.find((each) => each.id === node.id);
      if (box !== undefined) ops.push(placed(node, id, { x: box.x - corner.x, y: box.y - corner.y }));
    }
    void canvas.push(ops);
    canvas.select([id]);
  };

  const ungroup = (): void => {
    const groups = chosen().filter((node) => node.type === "group");
    if (groups.length === 0) return say("Select a group first.");
    const ops: Op[] = [];
    const freed: string[] = [];
    for (const frame of groups) {
      for (const node of records().filter((each) => each.parentId === frame.id)) {
        const at = { x: node.position.x + frame.position.x, y: node.position.y + frame.position.y };
        ops.push(placed(node, frame.parentId ?? null, at));
        freed.push(node.id);
      }
    }
    ops.push({ op: "remove", kind: "node", ids: groups.map(({ id }) => id) });
    void canvas.push(ops);
    canvas.select(freed);
  };

  return { align, group, ungroup };
}

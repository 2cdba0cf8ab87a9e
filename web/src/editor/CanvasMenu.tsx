import type { XY } from "../client";
import { useCanvas, useMayEdit } from "../react";
import { Menu, type MenuItem } from "../ui/Menu";
import { removeSelected, selectedIds } from "./edits";
import { keysFor, keysOf, type Act } from "./shortcuts";
import type { useClipboard } from "./useClipboard";

interface CanvasMenuProps {
  /** On the screen. */
  at: XY;
  acts: Readonly<Record<Act, () => void>>;
  clipboard: ReturnType<typeof useClipboard>;
  onClose: () => void;
}

/** What can be done here: with what is selected, or with the ground. */
export function CanvasMenu({ at, acts, clipboard, onClose }: CanvasMenuProps) {
  const canvas = useCanvas();
  const mayEdit = useMayEdit();
  const { nodes, edges } = canvas.store.getState();
  const count = selectedIds(canvas).length;
  const hasGroup = nodes.some((node) => node.selected && node.type === "group");
  const hasSelection = count > 0 || edges.some((edge) => edge.selected);

  const act = (name: Act, label: string, more: Partial<MenuItem> = {}): MenuItem => ({ label, keys: keysFor(name), run: acts[name], ...more });
  const paste: MenuItem = { label: "Paste here", icon: "paste", keys: keysOf({ keys: "Ctrl V" }), run: () => clipboard.paste(at) };
  const copy: MenuItem = { label: "Copy", icon: "copy", keys: keysOf({ keys: "Ctrl C" }), run: clipboard.copy, isDisabled: count === 0 };
  const ofSelection: (MenuItem | null)[] = [
    copy,
    { label: "Cut", keys: keysOf({ keys: "Ctrl X" }), run: clipboard.cut, isDisabled: count === 0 },
    paste,
    act("duplicate", "Duplicate", { isDisabled: count === 0 }),
    null,
    act("wire", count > 1 ? "Wire in a row" : "Wire to something new", { isDisabled: count === 0 }),
    act("group", "Put into a group", { icon: "group", isDisabled: count === 0 }),
    ...(hasGroup ? [act("ungroup", "Ungroup")] : []),
    null,
    { label: "Delete", icon: "trash", keys: "Delete", run: () => removeSelected(canvas) },
  ];
  const ofGround: (MenuItem | null)[] = [
    act("add-node", "Add a node…", { icon: "plus" }),
    paste,
    null,
    act("select-all", "Select everything", { isDisabled: nodes.length === 0 }),
    act("fit-view", "Fit everything in view", { icon: "frame", isDisabled: nodes.length === 0 }),
    act("export", "Export as a JSON file", { icon: "download" }),
    act("history", "Version history", { icon: "history" }),
    act("help", "Shortcuts", { icon: "keyboard" }),
  ];
  const forViewers = hasSelection ? [copy] : ofGround.slice(3);
  const items = !mayEdit ? forViewers : hasSelection ? ofSelection : ofGround;
  return <Menu label={hasSelection ? "What is selected" : "Canvas"} at={at} items={items} onClose={onClose} />;
}

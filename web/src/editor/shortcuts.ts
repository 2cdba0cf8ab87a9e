/** Every shortcut of the canvas. The registry feeds the keys and the `?` sheet; those without an `act` are the browser's or React Flow's. */
import type { Alignment } from "./arrange";

export type Act =
  | "add-image"
  | "add-node"
  | "duplicate"
  | "escape"
  | "export"
  | "fit-view"
  | "group"
  | "help"
  | "history"
  | "pictures"
  | "redo"
  | "select-all"
  | "undo"
  | "ungroup"
  | "upload"
  | "wire"
  | "zoom-in"
  | "zoom-out"
  | `align-${Alignment}`;

type Chapter = "Add" | "Edit" | "Arrange" | "Look around";

export interface Shortcut {
  keys: string;
  label: string;
  chapter: Chapter;
  act?: Act;
  isEdit?: boolean;
}

const ADD: readonly Shortcut[] = [
  { keys: "Space", label: "Look for a node to add", act: "add-node", chapter: "Add" },
  { keys: "Double click", label: "Add a node here", chapter: "Add" },
  { keys: "I", label: "Add an image node", act: "add-image", chapter: "Add" },
  { keys: "U", label: "Add a picture from a file", act: "upload", chapter: "Add" },
  { keys: "P", label: "Add one of your pictures", act: "pictures", chapter: "Add" },
  { keys: "L", label: "Wire what is selected, from left to right", act: "wire", chapter: "Add" },
  { keys: "Ctrl Enter", label: "Generate, while writing a prompt", chapter: "Add" },
];

const EDIT: readonly Shortcut[] = [
  { keys: "Ctrl C", label: "Copy, with the wires in between", chapter: "Edit" },
  { keys: "Ctrl X", label: "Cut", isEdit: true, chapter: "Edit" },
  { keys: "Ctrl V", label: "Paste nodes, a picture or a text", isEdit: true, chapter: "Edit" },
  { keys: "Ctrl D", label: "Duplicate", act: "duplicate", isEdit: true, chapter: "Edit" },
  { keys: "Delete", label: "Delete what is selected", isEdit: true, chapter: "Edit" },
  { keys: "Ctrl Z", label: "Undo your last step", act: "undo", isEdit: true, chapter: "Edit" },
  { keys: "Ctrl Shift Z", label: "Redo", act: "redo", isEdit: true, chapter: "Edit" },
  { keys: "Ctrl Y", label: "Redo", act: "redo", isEdit: true, chapter: "Edit" },
];

const ARRANGE: readonly Shortcut[] = [
  { keys: "Arrow keys", label: "Move the selected nodes", chapter: "Arrange" },
  { keys: "Ctrl G", label: "Put into a group", act: "group", chapter: "Arrange" },
  { keys: "Ctrl Shift G", label: "Take the group away", act: "ungroup", chapter: "Arrange" },
  { keys: "Alt A", label: "Align left edges", act: "align-left", chapter: "Arrange" },
  { keys: "Alt H", label: "Align centres", act: "align-center", chapter: "Arrange" },
  { keys: "Alt D", label: "Align right edges", act: "align-right", chapter: "Arrange" },
  { keys: "Alt W", label: "Align top edges", act: "align-top", chapter: "Arrange" },
  { keys: "Alt V", label: "Align middles", act: "align-middle", chapter: "Arrange" },
  { keys: "Alt S", label: "Align bottom edges", act: "align-bottom", chapter: "Arrange" },
  { keys: "Alt Shift H", label: "Same gaps from left to right", act: "align-across", chapter: "Arrange" },
  { keys: "Alt Shift V", label: "Same gaps from top to bottom", act: "align-down", chapter: "Arrange" },
];

const LOOK: readonly Shortcut[] = [
  { keys: "Tab", label: "Go to the next node or wire", chapter: "Look around" },
  { keys: "Enter", label: "Select the node or wire", chapter: "Look around" },
  { keys: "Ctrl A", label: "Select everything", act: "select-all", chapter: "Look around" },
  { keys: "Shift drag", label: "Select with a box", chapter: "Look around" },
  { keys: "Escape", label: "Select nothing, stop following", act: "escape", chapter: "Look around" },
  { keys: "Drag", label: "Move around", chapter: "Look around" },
  { keys: "Ctrl wheel", label: "Zoom", chapter: "Look around" },
  { keys: "+", label: "Zoom in", act: "zoom-in", chapter: "Look around" },
  { keys: "-", label: "Zoom out", act: "zoom-out", chapter: "Look around" },
  { keys: ".", label: "Fit everything in view", act: "fit-view", chapter: "Look around" },
  { keys: "E", label: "Export as a JSON file", act: "export", chapter: "Look around" },
  { keys: "H", label: "Version history", act: "history", chapter: "Look around" },
  { keys: "?", label: "Show this list", act: "help", chapter: "Look around" },
];

const editing = (shortcut: Shortcut): Shortcut => ({ ...shortcut, isEdit: true });

export const SHORTCUTS: readonly Shortcut[] = [...ADD.map(editing), ...EDIT, ...ARRANGE.map(editing), ...LOOK];

const COMMAND = typeof navigator !== "undefined" && /mac/i.test(navigator.userAgent) ? "⌘" : "Ctrl";

/** As this keyboard calls them. */
export function keysOf(shortcut: Pick<Shortcut, "keys">): string {
  return shortcut.keys.replace("Ctrl", COMMAND);
}

/** The first keys of an act, for tooltips and menus. */
export function keysFor(act: Act): string {
  const shortcut = SHORTCUTS.find((each) => each.act === act);
  return shortcut === undefined ? "" : keysOf(shortcut);
}

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, dialog, [role=menu], [contenteditable]") !== null;
}

/** Space presses what has the focus. */
function isPressable(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("button, a, [role=button], .react-flow__node, .react-flow__edge") !== null;
}

type Press = Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

/** `Alt Shift H`, as the registry writes it. With Alt a key writes other signs, so there its place counts. */
export function pressOf({ key, code, ctrlKey, metaKey, altKey, shiftKey }: Press): string {
  const hasCommand = ctrlKey || metaKey;
  const name = altKey ? code.replace("Key", "") : key === " " ? "Space" : key.length === 1 ? key.toUpperCase() : key;
  return [hasCommand && "Ctrl", altKey && "Alt", shiftKey && (hasCommand || altKey) && "Shift", name].filter(Boolean).join(" ");
}

/** What a key press asks for on the canvas, if anything. */
export function actOf(event: KeyboardEvent): Act | undefined {
  if (isTyping(event.target) || (event.key === " " && isPressable(event.target))) return undefined;
  const pressed = pressOf(event);
  return SHORTCUTS.find((shortcut) => shortcut.keys === pressed)?.act;
}

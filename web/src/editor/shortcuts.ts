/** Every shortcut of the canvas. The registry feeds the keys and the `?` sheet; those without an `act` are React Flow's. */
export type Act = "add-image" | "add-node" | "fit-view" | "help" | "redo" | "select-all" | "undo" | "upload";

export interface Shortcut {
  keys: string;
  label: string;
  act?: Act;
  isEdit?: boolean;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { keys: "Space", label: "Add a node: look for it", act: "add-node", isEdit: true },
  { keys: "I", label: "Add an image node", act: "add-image", isEdit: true },
  { keys: "U", label: "Add a picture from a file", act: "upload", isEdit: true },
  { keys: "Ctrl V", label: "Paste a picture", isEdit: true },
  { keys: "Double click", label: "Add a node here", isEdit: true },
  { keys: "Ctrl Enter", label: "Generate, while writing a prompt", isEdit: true },
  { keys: "Delete", label: "Delete what is selected", isEdit: true },
  { keys: "Ctrl Z", label: "Undo", act: "undo", isEdit: true },
  { keys: "Ctrl Shift Z", label: "Redo", act: "redo", isEdit: true },
  { keys: "Ctrl Y", label: "Redo", act: "redo", isEdit: true },
  { keys: "Arrow keys", label: "Move the selected nodes", isEdit: true },
  { keys: "Ctrl A", label: "Select everything", act: "select-all" },
  { keys: "Shift drag", label: "Select with a box" },
  { keys: "Drag", label: "Move around" },
  { keys: "Ctrl wheel", label: "Zoom" },
  { keys: ".", label: "Fit everything in view", act: "fit-view" },
  { keys: "?", label: "Show this list", act: "help" },
];

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, dialog, [contenteditable]") !== null;
}

/** Space presses what has the focus. */
function isPressable(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("button, a, [role=button], .react-flow__node, .react-flow__edge") !== null;
}

/** What a key press asks for on the canvas, if anything. */
export function actOf(event: KeyboardEvent): Act | undefined {
  if (isTyping(event.target) || (event.key === " " && isPressable(event.target))) return undefined;
  const hasModifier = event.ctrlKey || event.metaKey;
  if (event.altKey) return undefined;
  const pressed = (hasModifier ? (event.shiftKey ? "Ctrl Shift " : "Ctrl ") : "") + (event.key === " " ? "Space" : event.key.length === 1 ? event.key.toUpperCase() : event.key);
  return SHORTCUTS.find((shortcut) => shortcut.keys === pressed)?.act;
}

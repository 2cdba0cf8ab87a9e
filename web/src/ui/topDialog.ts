import { create } from "zustand";

/** The modal dialogs that are open, the topmost last. */
export const useTopDialog = create<{ open: readonly HTMLElement[] }>(() => ({ open: [] }));

/** Answers what takes it away again. */
export function putOnTop(dialog: HTMLElement): () => void {
  useTopDialog.setState(({ open }) => ({ open: [...open, dialog] }));
  return () => useTopDialog.setState(({ open }) => ({ open: open.filter((each) => each !== dialog) }));
}

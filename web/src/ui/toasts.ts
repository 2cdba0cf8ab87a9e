import { create } from "zustand";

export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "bad";
  action?: { label: string; run: () => void };
}

const SHOWN_MS = 7_000; // long enough to read two lines and reach the button

interface ToastState {
  toasts: readonly Toast[];
  dismiss: (id: number) => void;
}

export const useToasts = create<ToastState>((set) => ({
  toasts: [],
  dismiss: (id) => set(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.id !== id) })),
}));

let lastId = 0;

export function say(text: string, options: Partial<Pick<Toast, "tone" | "action">> = {}): void {
  const { toasts, dismiss } = useToasts.getState();
  if (toasts.some((toast) => toast.text === text)) return;
  const id = ++lastId;
  useToasts.setState({ toasts: [...toasts, { id, text, tone: "plain", ...options }] });
  setTimeout(() => dismiss(id), SHOWN_MS);
}

/** Shows why something failed; takes what a rejected promise carries. */
export function sayError(reason: unknown): void {
  say(reason instanceof Error ? reason.message : String(reason), { tone: "bad" });
}

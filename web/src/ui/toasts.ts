import { create } from "zustand";

export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "bad";
  action?: { label: string; run: () => void };
}

/** A toast that is kept to be read later. */
export interface News extends Toast {
  /** When it was said, as an ISO timestamp. */
  at: string;
  isRead: boolean;
}

const SHOWN_MS = { plain: 7_000, bad: 12_000 }; // long enough to read two lines and reach the button
const MOST_NEWS = 50;

interface ToastState {
  toasts: readonly Toast[];
  /** What was said, the newest first. */
  news: readonly News[];
  dismiss: (id: number) => void;
}

export const useToasts = create<ToastState>((set) => ({
  toasts: [],
  news: [],
  dismiss: (id) => set(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.id !== id) })),
}));

let lastId = 0;

export function say(text: string, options: Partial<Pick<Toast, "tone" | "action">> = {}): void {
  const { toasts, news, dismiss } = useToasts.getState();
  if (toasts.some((toast) => toast.text === text)) return;
  const id = ++lastId;
  const toast: Toast = { id, text, tone: "plain", ...options };
  const kept: News = { ...toast, at: new Date().toISOString(), isRead: false };
  useToasts.setState({ toasts: [...toasts, toast], news: [kept, ...news].slice(0, MOST_NEWS) });
  setTimeout(() => dismiss(id), SHOWN_MS[toast.tone]);
}

/** Shows why something failed; takes what a rejected promise carries. */
export function sayError(reason: unknown): void {
  say(reason instanceof Error ? reason.message : String(reason), { tone: "bad" });
}

export function markNewsRead(): void {
  useToasts.setState(({ news }) => ({ news: news.map((each) => ({ ...each, isRead: true })) }));
}

export function forgetNews(): void {
  useToasts.setState({ news: [] });
}

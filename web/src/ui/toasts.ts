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

const SHOWN_MS = { plain: 5_000, bad: 8_000 }; // long enough to read two lines and reach the button, where it stays
const MOST_SHOWN = 2;
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
  dismiss: (id) => {
    set(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.id !== id) }));
    holdToasts(false); // what was pressed is gone, and does not tell when the pointer leaves it
  },
}));

let lastId = 0;
let isHeld = false;
const timers = new Map<number, ReturnType<typeof setTimeout>>();

/** They stay while one of them is pointed at or has the focus; let go, each has its time again. */
export function holdToasts(hold: boolean): void {
  isHeld = hold;
  timers.forEach(clearTimeout);
  timers.clear();
  useToasts.getState().toasts.forEach(goLater);
}

function goLater({ id, tone }: Toast): void {
  if (isHeld) return;
  const go = (): void => {
    timers.delete(id);
    useToasts.setState(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.id !== id) }));
  };
  timers.set(id, setTimeout(go, SHOWN_MS[tone]));
}

export function say(text: string, options: Partial<Pick<Toast, "tone" | "action">> = {}): void {
  const { toasts, news } = useToasts.getState();
  if (toasts.some((toast) => toast.text === text)) return;
  const id = ++lastId;
  const toast: Toast = { id, text, tone: "plain", ...options };
  const kept: News = { ...toast, at: new Date().toISOString(), isRead: false };
  useToasts.setState({ toasts: [...toasts, toast].slice(-MOST_SHOWN), news: [kept, ...news].slice(0, MOST_NEWS) });
  goLater(toast);
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

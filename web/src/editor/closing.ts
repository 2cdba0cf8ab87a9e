/** What the page says of each way in which a socket ends: a word for the pill, and a sentence that says what to do. */

export interface Closing {
  title: string;
  text: string;
  /** The canvas stays in view: what is on it is the person's own to look at and to copy. */
  staysInView?: boolean;
  /** Nothing of Easel opens before one has signed in again. */
  needsSignIn?: boolean;
}

const CLOSINGS: Record<number, Closing> = {
  4000: { title: "Easel is restarting", text: "It will be back in a moment. Keep working: your changes are sent then." },
  4008: { title: "Slow connection", text: "Not everything could reach you in time. You are being brought up to date." },
  4009: { title: "Catching up", text: "You are being brought up to date. Keep working: your changes are sent then." },
  4010: { title: "Open twice", text: "This tab's place was taken by a copy of it. It is getting a place of its own." },
  4100: {
    title: "You have been signed out",
    text: "What you signed in with has expired. Open your login link, or the link you were given, again. What you changed here is kept.",
    needsSignIn: true,
  },
  4500: {
    title: "Page out of date",
    text: "Easel was updated while you were here. Reload the page to go on: what you changed is kept.",
    staysInView: true,
  },
  4503: {
    title: "You no longer have access",
    text: "It was taken away, or the link you came through has ended. Ask the owner of this canvas to share it with you again.",
  },
  4504: { title: "This canvas is not here", text: "It was moved to the trash, or it was never shared with you. Ask its owner." },
  4509: {
    title: "Too large",
    text: "A change was larger than the canvas can take. Reload the page, and add it in smaller pieces.",
    staysInView: true,
  },
  4513: { title: "Paused", text: "This tab sent far more than a person can. Reload the page to go on.", staysInView: true },
};

export function closingOf(code: number | null): Closing | null {
  return CLOSINGS[code ?? 0] ?? null;
}

import type { NodeRecord } from "../client";
import { isLive, readPicture, type PictureStatus } from "../nodes/picture";

const ENDS: Partial<Record<PictureStatus, string>> = {
  completed: "Picture finished",
  error: "Picture failed",
  cancelled: "Picture cancelled",
};

export interface Ending {
  id: string;
  status: PictureStatus;
  words: string;
  /** Why there is no picture, and what to do about it. */
  error: string | null;
}

/** The runs that ended between two states of a canvas. */
export function endings(before: readonly NodeRecord[], after: readonly NodeRecord[]): Ending[] {
  const drawing = new Set(before.filter(({ data }) => isLive(readPicture(data).status)).map(({ id }) => id));
  return after.flatMap(({ id, data }) => {
    const { status, prompt, error } = readPicture(data);
    const end = ENDS[status];
    return end !== undefined && drawing.has(id) ? [{ id, status, words: `${end}: ${prompt}`, error: status === "error" ? (error ?? "") : null }] : [];
  });
}

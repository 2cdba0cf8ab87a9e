import { create } from "zustand";
import type { Artwork } from "../client";
import { Queue } from "./queue";
import { uploadPicture, type UploadPlace } from "./upload";

export interface Upload {
  id: string;
  file: File;
  place?: UploadPlace | undefined;
  /** From 0 to 1; at 1 the server looks at it. */
  share: number;
  failure: string | null;
  cancel: () => void;
}

const AT_ONCE = 3; // more would only share the line

const queue = new Queue(AT_ONCE);

/** What is on its way from this tab, by the id of its node or its own. */
export const useUploads = create<{ uploads: Readonly<Record<string, Upload>> }>(() => ({ uploads: {} }));

function set(id: string, change: Partial<Upload>): void {
  useUploads.setState(({ uploads }) => {
    const known = uploads[id];
    return known === undefined ? { uploads } : { uploads: { ...uploads, [id]: { ...known, ...change } } };
  });
}

export function forgetUpload(id: string): void {
  useUploads.setState(({ uploads: { [id]: _gone, ...rest } }) => ({ uploads: rest }));
}

interface StartUpload {
  id: string;
  file: File;
  place?: UploadPlace | undefined;
  /** What has to be true before it begins, such as that the server knows the node. */
  after?: Promise<unknown>;
  onDone?: (artwork: Artwork) => void;
}

/** Begins when it is its turn. Why it failed stays to be read until it is forgotten or tried again. */
export function startUpload({ id, file, place, after, onDone }: StartUpload): void {
  const stopping = new AbortController();
  const isCancelled = (): boolean => stopping.signal.aborted;
  const cancel = (): void => {
    stopping.abort();
    forgetUpload(id);
  };
  const upload: Upload = { id, file, place, share: 0, failure: null, cancel };
  useUploads.setState(({ uploads }) => ({ uploads: { ...uploads, [id]: upload } }));
  queue.add(async () => {
    if (isCancelled()) return;
    try {
      await after;
      const artwork = await uploadPicture(file, { place, signal: stopping.signal, onProgress: (share) => set(id, { share }) });
      forgetUpload(id);
      onDone?.(artwork);
    } catch (reason) {
      if (!isCancelled()) set(id, { failure: reason instanceof Error ? reason.message : String(reason) });
    }
  });
}

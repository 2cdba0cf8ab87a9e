import { create } from "zustand";
import type { Provider } from "../client";
import { http } from "../session";
import { useEffect } from "react";

const AGAIN_MS = 10_000;

interface Providers {
  /** Null until they have come. */
  list: readonly Provider[] | null;
  failure: string | null;
}

const useList = create<Providers>(() => ({ list: null, failure: null }));
let askedAt: number | null = null;

function ask(): void {
  if (useList.getState().list !== null || (askedAt !== null && Date.now() - askedAt < AGAIN_MS)) return;
  askedAt = Date.now();
  http.listProviders().then(
    (list) => useList.setState({ list, failure: null }),
    (reason: unknown) => useList.setState({ failure: reason instanceof Error ? reason.message : String(reason) }),
  );
}

/** Who can make pictures here; one request for all nodes of the page. */
export function useProviders(): Providers {
  useEffect(ask, []);
  return useList();
}

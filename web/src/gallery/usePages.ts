import { useCallback, useEffect, useRef, useState } from "react";
import type { Page } from "../client";

export interface Pages<T> {
  /** Null until the first page is there. */
  items: readonly T[] | null;
  hasMore: boolean;
  failure: Error | null;
  loadMore: () => void;
  retry: () => void;
  change: (next: (items: readonly T[]) => readonly T[]) => void;
}

/** A list that is fetched a page at a time. `load` is another function when something else is looked for. */
export function usePages<T>(load: (cursor?: string) => Promise<Page<T>>): Pages<T> {
  const [items, setItems] = useState<readonly T[] | null>(null);
  const [next, setNext] = useState<{ load: unknown; cursor: string | null }>({ load, cursor: null });
  const [failure, setFailure] = useState<Error | null>(null);
  const cursor = next.load === load ? next.cursor : null; // else it is of what was looked for before
  const asked = useRef<{ load: unknown; cursor: string | undefined } | null>(null);

  const fetchPage = useCallback(
    (after?: string) => {
      if (asked.current?.load === load && asked.current.cursor === after) return; // under way
      const question = { load, cursor: after };
      asked.current = question;
      const isAnswered = (): boolean => asked.current !== question; // something else is looked for meanwhile
      load(after).then(
        (page) => {
          if (isAnswered()) return;
          setItems((known) => (after === undefined ? page.items : [...(known ?? []), ...page.items]));
          setNext({ load, cursor: page.nextCursor });
          setFailure(null);
        },
        (reason: unknown) => {
          if (isAnswered()) return;
          asked.current = null;
          setFailure(reason instanceof Error ? reason : new Error(String(reason)));
        },
      );
    },
    [load],
  );

  useEffect(() => {
    fetchPage();
    return () => {
      asked.current = null;
    };
  }, [fetchPage]);

  const loadMore = useCallback(() => {
    if (cursor !== null && failure === null) fetchPage(cursor);
  }, [cursor, failure, fetchPage]);
  const retry = (): void => {
    setFailure(null);
    fetchPage(items === null ? undefined : (cursor ?? undefined));
  };
  const change = useCallback((next: (known: readonly T[]) => readonly T[]) => {
    setItems((known) => known && next(known));
  }, []);
  return { items, hasMore: cursor !== null, failure, loadMore, retry, change };
}

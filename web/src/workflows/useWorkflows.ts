import { useCallback, useEffect, useState } from "react";
import type { WorkflowSummary } from "../client";
import { http } from "../session";
import { say, sayError } from "../ui/toasts";

export function useWorkflows() {
  const [items, setItems] = useState<readonly WorkflowSummary[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [failure, setFailure] = useState<Error | null>(null);

  const load = useCallback((after?: string) => {
    http.listWorkflows(after).then((page) => {
      setItems((known) => (after === undefined ? page.items : [...(known ?? []), ...page.items]));
      setCursor(page.nextCursor);
      setFailure(null);
    }, setFailure);
  }, []);

  useEffect(() => load(), [load]);

  const rename = (id: string, name: string): void => {
    http.renameWorkflow(id, name).then(() => {
      setItems((known) => known?.map((item) => (item.id === id ? { ...item, name } : item)) ?? null);
    }, sayError);
  };
  const restore = (id: string): void => {
    http.restoreWorkflow(id).then(() => load(), sayError);
  };
  const remove = (item: WorkflowSummary): void => {
    http.deleteWorkflow(item.id).then(() => {
      setItems((known) => known?.filter((other) => other.id !== item.id) ?? null);
      say(`“${item.name}” is in the trash.`, { action: { label: "Undo", run: () => restore(item.id) } });
    }, sayError);
  };
  const loadMore = cursor === null ? null : () => load(cursor);
  return { items, failure, reload: () => load(), loadMore, rename, remove };
}

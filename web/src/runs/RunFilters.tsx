import { useEffect, useState } from "react";
import type { WorkflowSummary } from "../client";
import { useProviders } from "../nodes/useProviders";
import { http } from "../session";
import { Button } from "../ui/Button";
import { sayError } from "../ui/toasts";
import type { RunQuery } from "./useRuns";
import { STATUS_WORDS, type Status } from "./words";

interface RunFiltersProps {
  query: RunQuery;
  onChange: (query: RunQuery) => void;
}

export function RunFilters({ query, onChange }: RunFiltersProps) {
  const { list } = useProviders();
  const [workflows, setWorkflows] = useState<readonly WorkflowSummary[]>([]);
  useEffect(() => {
    http.listWorkflows().then((page) => setWorkflows(page.items), sayError);
  }, []);
  const set = (change: RunQuery): void => {
    onChange(Object.fromEntries(Object.entries({ ...query, ...change }).filter(([, value]) => value != null && value !== "")));
  };
  return (
    <div className="runs__filters" role="search">
      <Button aria-pressed={query.mine === true} onClick={() => set({ mine: query.mine ? undefined : true })}>
        Only mine
      </Button>
      <select className="field runs__choice" aria-label="State" value={query.status ?? ""} onChange={({ currentTarget: { value } }) => set({ status: value as Status })}>
        <option value="">Every state</option>
        {Object.entries(STATUS_WORDS).map(([status, words]) => (
          <option key={status} value={status}>
            {words}
          </option>
        ))}
      </select>
      <select className="field runs__choice" aria-label="Provider" value={query.provider ?? ""} onChange={({ currentTarget: { value } }) => set({ provider: value })}>
        <option value="">Every provider</option>
        {list?.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      <select
        className="field runs__choice"
        aria-label="Canvas"
        value={query.workflowId ?? ""}
        onChange={({ currentTarget: { value } }) => set({ workflowId: value, nodeId: undefined })}
      >
        <option value="">Every canvas</option>
        {workflows.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      {query.nodeId != null && (
        <Button icon="close" onClick={() => set({ nodeId: undefined })}>
          Only one node
        </Button>
      )}
    </div>
  );
}

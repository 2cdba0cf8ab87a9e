import { useCallback, useEffect, useState } from "react";
import type { Provider, RenderQuery, WorkflowSummary } from "../client";
import { http } from "../session";
import { Button } from "../ui/Button";
import { sayError } from "../ui/toasts";
import { SearchField } from "./SearchField";

interface FiltersProps {
  wanted: RenderQuery;
  onChange: (next: (wanted: RenderQuery) => RenderQuery) => void;
}

export function Filters({ wanted, onChange }: FiltersProps) {
  const [providers, setProviders] = useState<readonly Provider[]>([]);
  const [workflows, setWorkflows] = useState<readonly WorkflowSummary[]>([]);

  useEffect(() => {
    http.listProviders().then(setProviders, sayError);
    http.listWorkflows().then((page) => setWorkflows(page.items), sayError);
  }, []);

  const set = (change: RenderQuery): void => onChange((known) => cleaned({ ...known, ...change }));
  const search = useCallback((q: string) => onChange((known) => cleaned({ ...known, q })), [onChange]);
  return (
    <div className="filters" role="search">
      <SearchField label="Search prompts" value={wanted.q ?? ""} onSearch={search} />
      <select
        className="field filters__choice"
        aria-label="Model"
        value={wanted.provider === undefined ? "" : `${wanted.provider}\n${wanted.model ?? ""}`}
        onChange={({ currentTarget: { value } }) => {
          const [provider, model] = value.split("\n");
          set({ provider: provider === "" ? undefined : provider, model: model === "" ? undefined : model });
        }}
      >
        <option value="">All models</option>
        {providers.map(({ id, models }) => (
          <optgroup key={id} label={id}>
            <option value={`${id}\n`}>{`Everything from ${id}`}</option>
            {models.map((model) => (
              <option key={model.id} value={`${id}\n${model.id}`}>
                {model.label}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      <select
        className="field filters__choice"
        aria-label="Canvas"
        value={wanted.workflowId ?? ""}
        onChange={({ currentTarget: { value } }) => set({ workflowId: value === "" ? undefined : value })}
      >
        <option value="">All canvases</option>
        {workflows.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      <Button
        icon="star"
        aria-pressed={wanted.favorite === true}
        onClick={() => set({ favorite: wanted.favorite ? undefined : true })}
      >
        Favourites
      </Button>
      <Button
        icon="trash"
        aria-label="Recently deleted"
        aria-pressed={wanted.deleted === true}
        onClick={() => set({ deleted: wanted.deleted ? undefined : true })}
      />
    </div>
  );
}

function cleaned(query: RenderQuery): RenderQuery {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value != null && value !== ""));
}

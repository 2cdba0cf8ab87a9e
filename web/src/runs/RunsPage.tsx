import { useEffect, useMemo, useState } from "react";
import { SiteBar } from "../SiteBar";
import { Button } from "../ui/Button";
import { Loading } from "../ui/Loading";
import { Costs } from "./Costs";
import { RunDetail } from "./RunDetail";
import { RunFilters } from "./RunFilters";
import { RunTable } from "./RunTable";
import "./runs.css";
import { useRuns, type RunQuery } from "./useRuns";

/** What is being made and was made on all canvases that one may see, with what happened and what it cost. */
export default function RunsPage() {
  const [query, setQuery] = useState<RunQuery>({ mine: true });
  const wanted = useMemo(() => query, [query]);
  const { items, hasMore, failure, loadMore, retry, refresh } = useRuns(wanted);
  const [openId, setOpen] = useState<string | null>(null);
  const open = items?.find(({ jobId }) => jobId === openId);

  useEffect(() => {
    document.title = "Runs · Easel";
  }, []);
  return (
    <div className="runs">
      <SiteBar />
      <main className="runs__main">
        <div className="runs__head">
          <h1>Runs</h1>
          <RunFilters query={query} onChange={setQuery} />
        </div>
        <Costs />
        <div className="runs__body">
          <section className="runs__list" aria-label="List of runs">
            {items === null && failure === null && <Loading label="Loading runs" />}
            {items?.length === 0 && <Nothing isFiltered={Object.keys(query).some((key) => key !== "mine")} onClear={() => setQuery({ mine: query.mine })} />}
            {items && items.length > 0 && <RunTable runs={items} openId={openId} onOpen={setOpen} />}
            {failure !== null && (
              <div className="runs__failure" role="alert">
                <p>{failure.message}</p>
                <Button onClick={retry}>Try again</Button>
              </div>
            )}
            {hasMore && failure === null && <Button onClick={loadMore}>Show older runs</Button>}
          </section>
          {open && (
            <RunDetail
              key={open.jobId}
              run={open}
              onChange={refresh}
              onNode={() => setQuery({ workflowId: open.workflowId, nodeId: open.nodeId })}
              onClose={() => setOpen(null)}
            />
          )}
        </div>
      </main>
    </div>
  );
}

function Nothing({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  return (
    <div className="runs__empty">
      <h2>{isFiltered ? "No run is like that" : "No runs yet"}</h2>
      <p>{isFiltered ? "Look for something else, or for everything." : "Press Generate on an image node of a canvas, and its run is here while it is being made."}</p>
      {isFiltered && <Button onClick={onClear}>Show all</Button>}
    </div>
  );
}

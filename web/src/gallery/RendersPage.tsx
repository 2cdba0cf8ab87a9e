import { useEffect, useState } from "react";
import type { RenderQuery } from "../client";
import { SiteBar } from "../SiteBar";
import { Filters } from "./Filters";
import "./gallery.css";
import { RenderList } from "./RenderList";

export default function RendersPage() {
  const [wanted, setWanted] = useState<RenderQuery>({});

  useEffect(() => {
    document.title = "My renders · Easel";
  }, []);

  return (
    <div className="pictures">
      <SiteBar />
      <main className="pictures__main">
        <div className="pictures__head">
          <h1>{wanted.deleted ? "Recently deleted" : "My renders"}</h1>
          <Filters wanted={wanted} onChange={setWanted} />
        </div>
        <RenderList key={JSON.stringify(wanted)} wanted={wanted} onClear={() => setWanted({})} />
      </main>
    </div>
  );
}

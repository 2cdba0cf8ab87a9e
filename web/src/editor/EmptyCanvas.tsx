import { useEffect, useMemo, useState } from "react";
import { useMayEdit } from "../react";
import { http } from "../session";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";
import { sayError } from "../ui/toasts";
import type { Fragment } from "./fragment";
import { templatesFor, type Drawing } from "./templates";

interface EmptyCanvasProps {
  onAdd: () => void;
  onBegin: (fragment: Fragment) => void;
}

export function EmptyCanvas({ onAdd, onBegin }: EmptyCanvasProps) {
  const mayEdit = useMayEdit();
  if (!mayEdit) {
    return (
      <div className="empty">
        <h2>Nothing here yet</h2>
        <p>Pictures appear here as soon as someone adds one.</p>
      </div>
    );
  }
  return (
    <div className="empty">
      <h2>An empty canvas</h2>
      <p>Double click anywhere, or press Space, to add a node; I adds a picture.</p>
      <Button look="primary" icon="sparkle" onClick={onAdd}>
        Add a picture
      </Button>
      <p>Or begin with one of these:</p>
      <Templates onBegin={onBegin} />
    </div>
  );
}

function Templates({ onBegin }: Pick<EmptyCanvasProps, "onBegin">) {
  const drawings = useDrawings();
  const templates = useMemo(() => templatesFor(drawings), [drawings]);
  const isBare = drawings.length > 0 && drawings.every(({ provider }) => provider === "local");
  return (
    <>
      <ul className="templates" aria-label="Templates">
        {templates.map(({ id, title, hint, icon, fragment }) => (
          <li key={id}>
            <button type="button" className="template" data-testid="template" onClick={() => onBegin(fragment)}>
              <Icon name={icon} />
              <span>
                <b>{title}</b>
                <small>{hint}</small>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {isBare && <p>The built-in studio paints landscapes in the mood of the words. Whoever runs this Easel can add other models.</p>}
    </>
  );
}

/** The models of every provider that has its key, without those that are gone. */
function useDrawings(): readonly Drawing[] {
  const [drawings, setDrawings] = useState<readonly Drawing[]>([]);
  useEffect(() => {
    let isWanted = true;
    http.listProviders().then((providers) => {
      const usable = providers.filter(({ configured }) => configured);
      const found = usable.flatMap(({ id, models }) => models.filter(({ retiredAt }) => retiredAt == null).map((model) => ({ provider: id, model: model.id })));
      if (isWanted) setDrawings(found);
    }, sayError);
    return () => {
      isWanted = false;
    };
  }, []);
  return drawings;
}

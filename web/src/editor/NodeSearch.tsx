import { useId, useState, type KeyboardEvent } from "react";
import type { XY } from "../client";
import { kindsAtEnd, kindsFor, KINDS, type Kind } from "../nodes/kinds";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";

interface NodeSearchProps {
  /** On the screen. */
  at: XY;
  /** A wire was let go here: what is picked will be at its other end. */
  wire?: "into" | "out of" | undefined;
  /** The type of the node that the wire is at. */
  wiredType?: string | undefined;
  onPick: (kind: Kind) => void;
  onClose: () => void;
}

const SIZE = { width: 300, height: 360 };
const MARGIN = 12;

/** What to put here: a list that is narrowed down by writing, with the keyboard or the mouse. */
export function NodeSearch({ at, wire, wiredType, onPick, onClose }: NodeSearchProps) {
  const listId = useId();
  const [search, setSearch] = useState("");
  const [chosen, setChosen] = useState(0);
  const kinds = kindsFor(search, wire === undefined ? KINDS : kindsAtEnd(wire, wiredType));
  const current = Math.min(chosen, kinds.length - 1);

  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const kind = kinds[current];
    if (step !== undefined) setChosen((current + step + kinds.length) % Math.max(1, kinds.length));
    else if (event.key === "Enter" && kind !== undefined) onPick(kind);
    else return;
    event.preventDefault();
  };
  const place = {
    left: Math.max(MARGIN, Math.min(at.x, window.innerWidth - SIZE.width - MARGIN)),
    top: Math.max(MARGIN, Math.min(at.y, window.innerHeight - SIZE.height - MARGIN)),
    width: SIZE.width,
  };
  return (
    <Dialog label="Add a node" className="finder" style={place} onClose={onClose} onKeyDown={onKeyDown}>
      <input
        className="finder__text"
        role="combobox"
        aria-label="Look for a node"
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={current >= 0 ? `${listId}-${current}` : undefined}
        placeholder={wire === undefined ? "Add a node…" : `Wire ${wire}…`}
        autoComplete="off"
        autoFocus
        value={search}
        onChange={({ currentTarget }) => {
          setSearch(currentTarget.value);
          setChosen(0);
        }}
      />
      <ul className="finder__list" id={listId} role="listbox" aria-label="Nodes">
        {kinds.map((kind, index) => (
          <li
            key={kind.type}
            id={`${listId}-${index}`}
            className="finder__kind"
            role="option"
            aria-selected={index === current}
            onPointerMove={() => setChosen(index)}
            onClick={() => onPick(kind)}
          >
            <Icon name={kind.icon} />
            <span>
              <b>{kind.label}</b>
              <small>{kind.hint}</small>
            </span>
          </li>
        ))}
      </ul>
      {kinds.length === 0 && <p className="finder__none">Nothing is called that.</p>}
    </Dialog>
  );
}

import { useEffect, useRef, type KeyboardEvent } from "react";
import { Dialog } from "./Dialog";
import { Icon, type IconName } from "./Icon";

export interface MenuItem {
  label: string;
  icon?: IconName;
  keys?: string;
  isDisabled?: boolean;
  run: () => void;
}

interface MenuProps {
  label: string;
  /** On the screen; the menu stays inside of it. */
  at: { x: number; y: number };
  /** null is a line between two chapters. */
  items: readonly (MenuItem | null)[];
  onClose: () => void;
}

const WIDTH = 260;
const MARGIN = 8;

/** A list of things to do, at the pointer or below a button; arrows, Home and End go through it. */
export function Menu({ label, at, items, onClose }: MenuProps) {
  const list = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const menu = list.current?.parentElement;
    if (menu) menu.style.top = `${Math.max(MARGIN, Math.min(at.y, window.innerHeight - menu.offsetHeight - MARGIN))}px`;
    list.current?.querySelector<HTMLElement>("[role=menuitem]:not(:disabled)")?.focus();
  }, [at.y]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const all = [...(list.current?.querySelectorAll<HTMLElement>("[role=menuitem]:not(:disabled)") ?? [])];
    const current = all.findIndex((item) => item === document.activeElement);
    const next = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: all.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    all[(next + all.length) % all.length]?.focus();
  };
  const left = Math.max(MARGIN, Math.min(at.x, window.innerWidth - WIDTH - MARGIN));
  return (
    <Dialog label={label} className="menu" style={{ left, top: at.y, width: WIDTH }} onClose={onClose} onKeyDown={onKeyDown}>
      <div ref={list} role="menu" aria-label={label}>
        {items.map((item, index) =>
          item === null ? (
            <hr key={`line ${index}`} className="menu__line" />
          ) : (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              className="menu__item"
              disabled={item.isDisabled}
              onPointerMove={({ currentTarget }) => currentTarget.focus()}
              onClick={() => {
                onClose();
                item.run();
              }}
            >
              {item.icon ? <Icon name={item.icon} /> : <span className="icon" />}
              <span className="menu__label">{item.label}</span>
              {item.keys && <kbd className="menu__keys">{item.keys}</kbd>}
            </button>
          ),
        )}
      </div>
    </Dialog>
  );
}

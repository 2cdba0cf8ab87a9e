import { useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { heightOf, layoutOf, moved, placeOf, rangeOf, type Layout } from "./layout";

interface VirtualGridProps<T> {
  label: string;
  items: readonly T[];
  idOf: (item: T) => string;
  /** What a screen reader says of a tile. */
  nameOf: (item: T) => string;
  isChosen: (id: string) => boolean;
  /** More may follow: their number is not known yet. */
  hasMore: boolean;
  onNearEnd: () => void;
  /** `how` says whether a range ends here, one more is taken in, or the picture is opened. */
  onPick: (item: T, how: "open" | "toggle" | "extend") => void;
  /** Keys that the grid itself has no use for, with the tile they are meant for. */
  onKey?: (event: KeyboardEvent, item: T) => void;
  header?: ReactNode;
  footer?: ReactNode;
  children: (item: T) => ReactNode;
}

interface View {
  layout: Layout;
  top: number;
  height: number;
}

/**
 * A grid of squares of which only those in view are in the page. The focus stays on the grid, which names its active
 * tile: a tile that scrolls away takes no focus with it.
 */
export function VirtualGrid<T>(props: VirtualGridProps<T>) {
  const { label, items, idOf, nameOf, isChosen, hasMore, onNearEnd, onPick, onKey, header, footer, children } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const grid = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<View>({ layout: layoutOf(1000), top: 0, height: 800 });
  const [active, setActive] = useState(0);
  const [isFocused, setFocused] = useState(false);
  const { layout, top, height } = view;
  const [first, last] = rangeOf(layout, items.length, top, height);
  const at = Math.min(active, Math.max(0, items.length - 1));

  useLayoutEffect(() => {
    const area = scroller.current;
    const inner = grid.current;
    if (!area || !inner) return;
    let frame = 0;
    const look = (): void => {
      frame = 0;
      const next = layoutOf(inner.clientWidth);
      const passed = Math.max(0, area.scrollTop - inner.offsetTop);
      setView((known) => {
        // A row's height is as fine as it needs to be: scrolling by less draws nothing anew.
        const top = Math.floor(passed / next.step) * next.step;
        const isSame = known.top === top && known.height === area.clientHeight && known.layout.side === next.side;
        return isSame ? known : { layout: next, top, height: area.clientHeight };
      });
    };
    const soon = (): void => {
      if (frame === 0) frame = requestAnimationFrame(look);
    };
    look();
    const sizes = new ResizeObserver(soon);
    sizes.observe(area);
    sizes.observe(inner);
    area.addEventListener("scroll", soon, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      sizes.disconnect();
      area.removeEventListener("scroll", soon);
    };
  }, []);

  const isNearEnd = hasMore && last + layout.columns * 6 >= items.length;
  useEffect(() => {
    if (isNearEnd) onNearEnd();
  }, [isNearEnd, onNearEnd]);

  const show = (index: number): void => {
    const area = scroller.current;
    const inner = grid.current;
    if (!area || !inner) return;
    const y = placeOf(layout, index).y + inner.offsetTop;
    if (y < area.scrollTop + 8) area.scrollTop = y - 16;
    else if (y + layout.side > area.scrollTop + area.clientHeight - 8) area.scrollTop = y + layout.side - area.clientHeight + 16;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const item = items[at];
    if (item === undefined) return;
    const to = moved(event.key, at, layout, items.length, Math.max(1, Math.floor(height / layout.step)));
    const reached = items[to];
    if (/^(Arrow|Page|Home|End)/.test(event.key) && reached !== undefined) {
      event.preventDefault();
      if (event.shiftKey) {
        onPick(item, "extend");
        onPick(reached, "extend");
      }
      setActive(to);
      show(to);
    } else if (event.key === " ") {
      event.preventDefault();
      onPick(item, event.shiftKey ? "extend" : "toggle");
    } else if (event.key === "Enter") {
      event.preventDefault();
      onPick(item, "open");
    } else onKey?.(event, item);
  };

  return (
    <div ref={scroller} className="tiles">
      {header}
      <div
        ref={grid}
        className="tiles__grid"
        role="listbox"
        aria-label={label}
        aria-multiselectable="true"
        aria-activedescendant={items[at] === undefined ? undefined : `tile-${idOf(items[at])}`}
        tabIndex={items.length === 0 ? -1 : 0}
        style={{ height: heightOf(layout, items.length) }}
        onFocus={() => setFocused(true)}
        onBlur={() => setFocused(false)}
        onKeyDown={onKeyDown}
      >
        {items.slice(first, last).map((item, offset) => {
          const index = first + offset;
          const id = idOf(item);
          const { x, y } = placeOf(layout, index);
          const isActive = isFocused && index === at;
          return (
            <div
              key={id}
              id={`tile-${id}`}
              className={`tile${isActive ? " tile--active" : ""}`}
              role="option"
              aria-label={nameOf(item)}
              aria-selected={isChosen(id)}
              aria-setsize={hasMore ? -1 : items.length}
              aria-posinset={index + 1}
              data-testid="tile"
              style={{ width: layout.side, height: layout.side, transform: `translate(${x}px, ${y}px)` }}
              onClick={(event) => {
                setActive(index);
                const mark = event.target instanceof Element && event.target.closest("[data-mark]") !== null;
                onPick(item, event.shiftKey ? "extend" : mark || event.ctrlKey || event.metaKey ? "toggle" : "open");
              }}
            >
              {children(item)}
            </div>
          );
        })}
      </div>
      {footer}
    </div>
  );
}

import { useCallback, useState } from "react";
import type { Render, RenderQuery } from "../client";
import { http } from "../session";
import { say, sayError } from "../ui/toasts";
import { NOTHING, without } from "./selection";
import { fileNameOf, save } from "./saving";
import { usePages } from "./usePages";

const AT_ONCE = 500; // what one request may change

async function inParts(ids: readonly string[], change: { isFavorite?: boolean; isDeleted?: boolean }): Promise<void> {
  for (let at = 0; at < ids.length; at += AT_ONCE) await http.changeRenders(ids.slice(at, at + AT_ONCE), change);
}

function pictures(count: number): string {
  return count === 1 ? "Picture" : `${count} pictures`;
}

/** The pictures that are looked for, which of them are chosen, and what one can do to them. */
export function useRenders(wanted: RenderQuery) {
  const load = useCallback((cursor?: string) => http.listRenders(wanted, cursor), [wanted]);
  const pages = usePages<Render>(load);
  const [selection, setSelection] = useState(NOTHING);
  const { change } = pages;

  /** Puts back what was taken out, where it stood in the order. */
  const putBack = (back: readonly Render[]): void => {
    change((items) => {
      const known = new Set(items.map(({ id }) => id));
      const all = [...items, ...back.filter(({ id }) => !known.has(id))];
      return all.sort((one, other) => other.createdAt.localeCompare(one.createdAt) || other.id.localeCompare(one.id));
    });
  };
  const takeOut = (ids: ReadonlySet<string>): void => {
    change((items) => items.filter(({ id }) => !ids.has(id)));
    setSelection((chosen) => without(chosen, ids));
  };
  /** Into the trash, or out of it when the trash is what one looks at. */
  const move = (moved: readonly Render[], isDeleted: boolean): void => {
    const ids = moved.map(({ id }) => id);
    takeOut(new Set(ids));
    const undo = (): void => {
      inParts(ids, { isDeleted: !isDeleted }).then(() => putBack(moved), sayError);
    };
    inParts(ids, { isDeleted }).then(
      () => say(`${pictures(ids.length)} ${isDeleted ? "deleted." : "restored."}`, { action: { label: "Undo", run: undo } }),
      (reason: unknown) => {
        putBack(moved);
        sayError(reason);
      },
    );
  };
  const setFavorite = (marked: readonly Render[], isFavorite: boolean): void => {
    const ids = new Set(marked.map(({ id }) => id));
    const mark = (value: boolean): void => {
      change((items) => items.map((item) => (ids.has(item.id) ? { ...item, isFavorite: value } : item)));
    };
    mark(isFavorite);
    inParts([...ids], { isFavorite }).catch((reason: unknown) => {
      mark(!isFavorite);
      sayError(reason);
    });
  };
  const download = (saved: readonly Render[]): void => {
    for (const render of saved) save(render.imageUrl, fileNameOf(render.origin.prompt));
  };
  return { ...pages, selection, setSelection, move, setFavorite, download };
}

import { useCallback } from "react";
import type { Version } from "../client";
import { withNewest } from "../gallery/newest";
import { usePages } from "../gallery/usePages";
import { http } from "../session";
import { say, sayError } from "../ui/toasts";
import { showVersion } from "./panel";
import { titleOf } from "./words";

/** The versions of a workflow, newest first, and what can be done with them. */
export function useVersions(workflowId: string) {
  const load = useCallback((cursor?: string) => http.listVersions(workflowId, cursor), [workflowId]);
  const { items, hasMore, failure, loadMore, retry, change } = usePages<Version>(load);

  /** Others, and Easel itself, keep versions as well. */
  const refresh = useCallback((): void => {
    load().then(({ items: newest }) => {
      change((known) => withNewest(newest, known, ({ version }) => version));
    }, sayError);
  }, [load, change]);

  const keep = (name: string): Promise<void> =>
    http.createVersion(workflowId, name === "" ? undefined : name).then((made) => {
      refresh();
      say(`Kept as “${titleOf(made)}”.`);
    }, sayError);

  const rename = (version: Version, name: string): void => {
    http.nameVersion(workflowId, version.version, name).then((named) => {
      change((known) => known.map((each) => (each.version === named.version ? named : each)));
    }, sayError);
  };

  const remove = (version: Version): void => {
    http.deleteVersion(workflowId, version.version).then(() => {
      change((known) => known.filter((each) => each.version !== version.version));
      say(`“${titleOf(version)}” is deleted.`);
    }, sayError);
  };

  const show = (version: Version): Promise<void> => http.getVersion(workflowId, version.version).then(showVersion, sayError);

  const restore = async (number: number): Promise<void> => {
    try {
      const { before } = await http.restoreVersion(workflowId, number);
      showVersion(null);
      refresh();
      if (before === null) say("The canvas was like this already.");
      else say("The canvas is as it was then, for everybody.", { action: { label: "Undo", run: () => void restore(before) } });
    } catch (reason) {
      sayError(reason);
    }
  };

  return { items, hasMore, failure, loadMore, retry, keep, rename, remove, show, restore };
}

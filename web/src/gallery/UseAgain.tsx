import { useEffect, useState } from "react";
import { newId, type NodeRecord, type Render, type WorkflowSummary } from "../client";
import { canvasPath, navigate } from "../route";
import { http } from "../session";
import { Button } from "../ui/Button";
import { sayError } from "../ui/toasts";
import { cardOf } from "./cardOf";

/** The picture as a node, beside what there is on its new canvas. */
export function nodeLike(render: Render, nodes: readonly NodeRecord[]): NodeRecord {
  const right = nodes.filter((node) => node.parentId == null).map(({ position, width }) => position.x + (width ?? 280));
  const top = nodes.filter((node) => node.parentId == null).map(({ position }) => position.y);
  const position = nodes.length === 0 ? { x: 0, y: 0 } : { x: Math.max(0, ...right) + 60, y: Math.min(...top, Infinity) };
  if (!Number.isFinite(position.y)) position.y = 0;
  return { id: `n_${newId()}`, position, ...cardOf(render) };
}

export function UseAgain({ render, onDone }: { render: Render; onDone: () => void }) {
  const [canvases, setCanvases] = useState<readonly WorkflowSummary[] | null>(null);
  const [chosen, setChosen] = useState(render.workflowId ?? "");
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    http.listWorkflows().then((page) => {
      const writable = page.items.filter(({ role }) => role !== "viewer");
      setCanvases(writable);
      setChosen((known) => (writable.some(({ id }) => id === known) ? known : (writable[0]?.id ?? "")));
    }, sayError);
  }, []);

  const add = async (): Promise<void> => {
    const id = chosen === "" ? (await http.createWorkflow({ name: "Untitled canvas" }, newId())).id : chosen;
    const { nodes } = await http.getWorkflow(id);
    await http.addNode(id, nodeLike(render, nodes));
    navigate(canvasPath(id));
  };
  const onAdd = (): void => {
    setBusy(true);
    add().catch((reason: unknown) => {
      setBusy(false);
      sayError(reason);
    });
  };
  if (canvases === null) return null;
  return (
    <form
      className="again"
      onSubmit={(event) => {
        event.preventDefault();
        onAdd();
      }}
    >
      <select className="field" aria-label="On which canvas" value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
        {canvases.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
        <option value="">A new canvas</option>
      </select>
      <Button type="submit" look="primary" disabled={isBusy}>
        Add node
      </Button>
      <Button look="ghost" icon="close" aria-label="Never mind" onClick={onDone} />
    </form>
  );
}

import { useState } from "react";
import type { WorkflowSummary } from "../client";
import { canvasPath, followLink } from "../route";
import { Button } from "../ui/Button";
import { EditableText } from "../ui/EditableText";
import { since } from "../ui/elapsed";
import { CanvasGlyph } from "./CanvasGlyph";

interface WorkflowItemProps {
  workflow: WorkflowSummary;
  onRename: (name: string) => void;
  onRemove: () => void;
}

export function WorkflowItem({ workflow, onRename, onRemove }: WorkflowItemProps) {
  const [isRenaming, setRenaming] = useState(false);
  const { id, name, role, updatedAt } = workflow;
  return (
    <li className="workflow" data-testid="workflow-item">
      <a className="workflow__cover" href={canvasPath(id)} onClick={followLink} aria-label={`Open ${name}`}>
        <CanvasGlyph name={name} />
      </a>
      <div className="workflow__foot">
        <div className="workflow__text">
          {isRenaming ? (
            <EditableText label="Canvas name" value={name} autoFocus onCommit={onRename} onDone={() => setRenaming(false)} />
          ) : (
            <a className="workflow__name" href={canvasPath(id)} onClick={followLink} tabIndex={-1}>
              {name}
            </a>
          )}
          <span className="workflow__meta">
            Edited <time dateTime={updatedAt}>{since(updatedAt)}</time>
            {role === "viewer" && " · View only"}
            {role === "editor" && " · Shared"}
          </span>
        </div>
        <div className="workflow__actions">
          {role !== "viewer" && (
            <Button look="ghost" icon="pencil" aria-label={`Rename ${name}`} onClick={() => setRenaming(true)} />
          )}
          {role === "owner" && <Button look="ghost" icon="trash" aria-label={`Delete ${name}`} onClick={onRemove} />}
        </div>
      </div>
    </li>
  );
}

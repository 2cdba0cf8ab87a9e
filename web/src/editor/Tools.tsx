import { useCanvas, useCanvasState, useMayEdit } from "../react";
import { Button } from "../ui/Button";

interface ToolsProps {
  onAdd: () => void;
  onUpload: () => void;
  onFit: () => void;
  onHelp: () => void;
}

export function Tools({ onAdd, onUpload, onFit, onHelp }: ToolsProps) {
  const mayEdit = useMayEdit();
  return (
    <div className="bar bar--tools" role="toolbar" aria-label="Tools">
      {mayEdit && (
        <Button look="primary" icon="plus" title="Add an image node (I)" onClick={onAdd}>
          Image
        </Button>
      )}
      {mayEdit && <Button look="ghost" icon="upload" aria-label="Upload a picture (U)" onClick={onUpload} />}
      {mayEdit && <UndoRedo />}
      <Button look="ghost" icon="frame" aria-label="Fit everything in view" onClick={onFit} />
      <Button look="ghost" icon="keyboard" aria-label="Shortcuts" onClick={onHelp} />
    </div>
  );
}

function UndoRedo() {
  const { undo, redo } = useCanvas();
  const canUndo = useCanvasState((state) => state.room.canUndo);
  const canRedo = useCanvasState((state) => state.room.canRedo);
  return (
    <>
      <Button look="ghost" icon="undo" aria-label="Undo" data-testid="undo" disabled={!canUndo} onClick={undo} />
      <Button look="ghost" icon="redo" aria-label="Redo" data-testid="redo" disabled={!canRedo} onClick={redo} />
    </>
  );
}

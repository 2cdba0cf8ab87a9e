import { useDrawer } from "../drawer/panel";
import { useCanvas, useCanvasState, useMayEdit } from "../react";
import { Button } from "../ui/Button";
import type { Act } from "./shortcuts";

export function Tools({ acts }: { acts: Readonly<Record<Act, () => void>> }) {
  const mayEdit = useMayEdit();
  const hasDrawer = useDrawer((state) => state.isOpen);
  return (
    <div className="bar bar--tools" role="toolbar" aria-label="Tools">
      {mayEdit && (
        <Button look="primary" icon="plus" title="Add an image node (I)" onClick={acts["add-image"]}>
          Image
        </Button>
      )}
      {mayEdit && <Button look="ghost" icon="search" aria-label="Add another node (Space)" onClick={acts["add-node"]} />}
      {mayEdit && <Button look="ghost" icon="upload" aria-label="Upload a picture (U)" onClick={acts.upload} />}
      {mayEdit && <Button look="ghost" icon="gallery" aria-label="Add one of your pictures (P)" data-testid="pictures" aria-expanded={hasDrawer} onClick={acts.pictures} />}
      {mayEdit && <UndoRedo />}
      <Button look="ghost" icon="frame" aria-label="Fit everything in view" onClick={acts["fit-view"]} />
      <Button look="ghost" icon="keyboard" className="bar__keys" aria-label="Shortcuts" onClick={acts.help} />
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

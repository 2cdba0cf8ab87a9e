import { useMayEdit } from "../react";
import { Button } from "../ui/Button";

export function EmptyCanvas({ onAdd }: { onAdd: () => void }) {
  const mayEdit = useMayEdit();
  return (
    <div className="empty">
      <h2>{mayEdit ? "An empty canvas" : "Nothing here yet"}</h2>
      <p>{mayEdit ? "Double click anywhere, or press Space, to add a node; I adds a picture." : "Pictures appear here as soon as someone adds one."}</p>
      {mayEdit && (
        <Button look="primary" icon="sparkle" onClick={onAdd}>
          Add a picture
        </Button>
      )}
    </div>
  );
}

import type { KeyboardEvent } from "react";
import { useCanvasState } from "../react";
import type { usePromptDraft } from "./usePromptDraft";

interface PromptFieldProps {
  nodeId: string;
  draft: ReturnType<typeof usePromptDraft>;
  readOnly: boolean;
  onSubmit?: (() => void) | undefined;
}

export function PromptField({ nodeId, draft, readOnly, onSubmit }: PromptFieldProps) {
  const writer = useCanvasState((state) => Object.values(state.room.peers).find((peer) => peer.editing === nodeId)?.user);
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    event.stopPropagation(); // Backspace here is a letter, not the node
    if (event.key === "Escape") event.currentTarget.blur();
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) onSubmit?.();
  };
  return (
    <div className="prompt">
      <textarea
        className="prompt__text nodrag nowheel nopan"
        data-testid="prompt"
        aria-label="Prompt"
        placeholder={readOnly ? "No prompt yet" : "Describe the picture…"}
        rows={3}
        readOnly={readOnly}
        value={draft.text}
        onFocus={readOnly ? undefined : draft.onFocus}
        onBlur={readOnly ? undefined : draft.onBlur}
        onChange={(event) => draft.onChange(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {writer && (
        <span className="prompt__writer" style={{ background: writer.color }}>
          {writer.name} is writing
        </span>
      )}
    </div>
  );
}

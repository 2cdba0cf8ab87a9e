import type { KeyboardEvent } from "react";
import { useCanvas, useCanvasState } from "../react";
import type { useTextDraft } from "./useTextDraft";

interface PromptFieldProps {
  nodeId: string;
  draft: ReturnType<typeof useTextDraft>;
  readOnly: boolean;
  label?: string;
  /** What stands there as long as nothing is written: for who may write, and for who may not. */
  hints?: readonly [string, string];
  onSubmit?: (() => void) | undefined;
}

export function PromptField({ nodeId, draft, readOnly, label = "Prompt", hints = ["Describe the picture…", "No prompt yet"], onSubmit }: PromptFieldProps) {
  const writer = useCanvasState((state) => Object.values(state.room.peers).find((peer) => peer.editing === nodeId)?.user);
  const canvas = useCanvas();
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    event.stopPropagation(); // Backspace here is a letter, not the node
    if (event.key === "Escape") event.currentTarget.blur();
    if (event.key.toLowerCase() === "z" && (event.metaKey || event.ctrlKey) && draft.isUntouched) {
      event.preventDefault(); // nothing is written that could be taken back, but the card can
      event.currentTarget.blur();
      canvas.undo();
    }
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) onSubmit?.();
  };
  return (
    <div className="prompt">
      <textarea
        className="prompt__text nodrag nowheel nopan"
        data-testid="prompt"
        aria-label={label}
        placeholder={hints[readOnly ? 1 : 0]}
        rows={3}
        readOnly={readOnly}
        style={writer && { borderColor: writer.color }}
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

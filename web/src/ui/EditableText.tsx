import { useRef, useState, type KeyboardEvent } from "react";

interface EditableTextProps {
  label: string;
  value: string;
  onCommit: (value: string) => void;
  readOnly?: boolean;
  autoFocus?: boolean;
  onDone?: () => void;
}

/** Text that is edited in place: Enter or leaving it keeps the change, Escape and an empty text do not. */
export function EditableText({ label, value, onCommit, readOnly = false, autoFocus = false, onDone }: EditableTextProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const isCancelled = useRef(false);

  const finish = (): void => {
    const text = isCancelled.current ? "" : (draft?.trim() ?? "");
    isCancelled.current = false;
    setDraft(null);
    if (text !== "" && text !== value) onCommit(text);
    onDone?.();
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (event.key === "Escape") isCancelled.current = true;
    if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
  };

  return (
    <input
      className="editable"
      aria-label={label}
      value={draft ?? value}
      readOnly={readOnly}
      autoFocus={autoFocus}
      maxLength={200}
      spellCheck={false}
      onFocus={(event) => !readOnly && event.currentTarget.select()}
      onChange={(event) => setDraft(event.currentTarget.value)}
      onBlur={finish}
      onKeyDown={onKeyDown}
    />
  );
}

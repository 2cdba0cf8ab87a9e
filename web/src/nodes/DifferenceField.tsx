import { useState, type KeyboardEvent } from "react";
import { Button } from "../ui/Button";

interface DifferenceFieldProps {
  isReady: boolean;
  /** The model makes the next picture from this one; else of its words and its seed. */
  startsFromPicture: boolean;
  onSubmit: (difference: string) => void;
}

/** The same picture once more, but for what is said here. */
export function DifferenceField({ isReady, startsFromPicture, onSubmit }: DifferenceFieldProps) {
  const [text, setText] = useState("");
  const difference = text.trim();
  const mayGo = isReady && difference !== "";
  const from = startsFromPicture ? "The next one starts from this picture" : "The next one has this picture's prompt and seed";
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>): void => {
    event.stopPropagation(); // Backspace here is a letter, not the node
    if (event.key === "Escape") event.currentTarget.blur();
    if (event.key === "Enter" && mayGo && !event.nativeEvent.isComposing) onSubmit(difference);
  };
  return (
    <div className="difference nodrag">
      <input
        className="field"
        aria-label="What should be different?"
        placeholder="What should be different?"
        title={`${from}, and what you write here.`}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <Button look="plain" icon="retry" aria-label="Make it again, with this difference" disabled={!mayGo} onClick={() => onSubmit(difference)} />
    </div>
  );
}

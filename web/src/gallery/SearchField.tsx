import { useEffect, useState } from "react";
import { Icon } from "../ui/Icon";

const REST_MS = 220; // a pause between two words, not between two letters

interface SearchFieldProps {
  label: string;
  value: string;
  onSearch: (text: string) => void;
}

/** Looks when the typing rests, at Enter, and before anything else on the page is turned to. */
export function SearchField({ label, value, onSearch }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);
  if (known !== value) {
    setKnown(value);
    setText(value);
  }

  const look = (): void => {
    if (text.trim() !== value) onSearch(text.trim());
  };
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => onSearch(text.trim()), REST_MS);
    return () => clearTimeout(timer);
  }, [text, value, onSearch]);

  return (
    <label className="search">
      <Icon name="search" />
      <input
        type="search"
        aria-label={label}
        placeholder={label}
        maxLength={200}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && look()}
        onBlur={look}
      />
    </label>
  );
}

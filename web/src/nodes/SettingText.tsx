import { useState } from "react";
import { useCanvas } from "../react";

interface SettingTextProps {
  nodeId: string;
  /** The key in the node's data; an empty text takes it away. */
  name: string;
  label: string;
  value: string;
  hint: string;
  title?: string;
  clean?: (typed: string) => string;
  parse?: (typed: string) => unknown;
}

/** A setting that is typed; it is everybody's when one leaves the field or presses Enter. */
export function SettingText({ nodeId, name, label, value, hint, title, clean = (typed) => typed, parse = (typed) => typed }: SettingTextProps) {
  const canvas = useCanvas();
  const [draft, setDraft] = useState<string | null>(null);

  const commit = (): void => {
    const typed = draft?.trim() ?? null;
    setDraft(null);
    if (typed === null || typed === value) return;
    if (typed === "") void canvas.setNode(nodeId, {}, [`/data/${name}`]);
    else void canvas.setNode(nodeId, { [`/data/${name}`]: parse(typed) });
  };
  return (
    <label className="settings__row">
      <span>{label}</span>
      <input
        className="field"
        title={title}
        placeholder={hint}
        value={draft ?? value}
        onChange={(event) => setDraft(clean(event.currentTarget.value))}
        onBlur={commit}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Enter") event.currentTarget.blur();
        }}
      />
    </label>
  );
}

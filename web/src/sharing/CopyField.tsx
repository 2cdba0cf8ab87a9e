import { useRef } from "react";
import { Button } from "../ui/Button";
import { say } from "../ui/toasts";

/** A link to take along. Where the page may not write to the clipboard (plain HTTP), it is selected instead. */
export function CopyField({ label, value }: { label: string; value: string }) {
  const field = useRef<HTMLInputElement>(null);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(value);
      say("Link copied.");
    } catch {
      field.current?.select();
      say("The browser does not let this page copy. The link is selected: copy it with the keyboard.");
    }
  };
  return (
    <div className="copy">
      <input ref={field} className="copy__text" aria-label={label} readOnly value={value} onFocus={(event) => event.currentTarget.select()} />
      <Button icon="copy" aria-label={`Copy ${label.toLowerCase()}`} onClick={() => void copy()}>
        Copy
      </Button>
    </div>
  );
}

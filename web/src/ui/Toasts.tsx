import { createPortal } from "react-dom";
import { Button } from "./Button";
import { useTopDialog } from "./topDialog";
import { holdToasts, useToasts } from "./toasts";

export function Toasts() {
  const { toasts, dismiss } = useToasts();
  const dialog = useTopDialog((state) => state.open.at(-1));
  const shown = (
    <div
      className="toasts"
      role="status"
      aria-live="polite"
      onPointerEnter={() => holdToasts(true)}
      onPointerLeave={() => holdToasts(false)}
      onFocus={() => holdToasts(true)}
      onBlur={() => holdToasts(false)}
    >
      {toasts.map(({ id, text, tone, action }) => (
        <div key={id} className={`toast toast--${tone}`}>
          <span className="toast__text">{text}</span>
          {action && (
            <Button
              look="ghost"
              onClick={() => {
                action.run();
                dismiss(id);
              }}
            >
              {action.label}
            </Button>
          )}
          <Button look="ghost" icon="close" aria-label="Dismiss" onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
  return dialog === undefined ? shown : createPortal(shown, dialog); // beside a modal dialog nothing can be seen or pressed
}

import { useEffect, useRef, type ComponentProps } from "react";
import { putOnTop } from "./topDialog";

interface DialogProps extends Omit<ComponentProps<"dialog">, "onClose"> {
  label: string;
  onClose: () => void;
}

/** A modal on the browser's own dialog: it keeps the focus inside, closes on Escape and on a click beside it. */
export function Dialog({ label, onClose, className = "dialog", children, ...rest }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);

  useEffect(() => {
    const dialog = element.current;
    if (dialog === null) return;
    dialog.showModal();
    const takeAway = putOnTop(dialog);
    return () => {
      takeAway();
      dialog.close();
    };
  }, []);

  return (
    <dialog
      ref={element}
      className={className}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === element.current && onClose()}
      {...rest}
    >
      {children}
    </dialog>
  );
}

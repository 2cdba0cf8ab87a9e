import type { ReactNode } from "react";
import { Button } from "../ui/Button";

interface SelectionBarProps {
  count: number;
  onClear: () => void;
  children: ReactNode;
}

export function SelectionBar({ count, onClear, children }: SelectionBarProps) {
  return (
    <div className="chosen" role="toolbar" aria-label="Chosen pictures">
      <span className="chosen__count" role="status">
        {count} chosen
      </span>
      {children}
      <Button look="ghost" icon="close" aria-label="Choose none" onClick={onClear} />
    </div>
  );
}

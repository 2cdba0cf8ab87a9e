import { useState, type ComponentProps, type MouseEvent } from "react";
import { Button } from "./Button";
import { Menu, type MenuItem } from "./Menu";

interface MenuButtonProps extends ComponentProps<typeof Button> {
  label: string;
  items: readonly (MenuItem | null)[];
}

const GAP = 6;

/** A button with a menu below it. */
export function MenuButton({ label, items, ...button }: MenuButtonProps) {
  const [at, setAt] = useState<{ x: number; y: number } | null>(null);
  const open = (event: MouseEvent<HTMLButtonElement>): void => {
    const { left, bottom } = event.currentTarget.getBoundingClientRect();
    setAt({ x: left, y: bottom + GAP });
  };
  return (
    <>
      <Button aria-label={label} aria-haspopup="menu" aria-expanded={at !== null} onClick={open} {...button} />
      {at !== null && <Menu label={label} at={at} items={items} onClose={() => setAt(null)} />}
    </>
  );
}

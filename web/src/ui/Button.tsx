import type { ComponentProps } from "react";
import { Icon, type IconName } from "./Icon";

interface ButtonProps extends ComponentProps<"button"> {
  look?: "primary" | "plain" | "ghost";
  icon?: IconName;
}

/** Without children it is a square with the icon; `aria-label` then names it and shows as a tooltip. */
export function Button({ look = "plain", icon, children, className = "", ...rest }: ButtonProps) {
  const shape = children === undefined ? " button--icon" : "";
  return (
    <button type="button" title={rest["aria-label"]} className={`button button--${look}${shape} ${className}`} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

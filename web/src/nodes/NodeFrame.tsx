import type { ReactNode } from "react";
import { Icon, type IconName } from "../ui/Icon";
import { Ports } from "./Ports";

interface NodeFrameProps {
  nodeId: string;
  title: string;
  icon: IconName;
  isSelected: boolean;
  tone?: "live" | "good" | "bad" | undefined;
  badge?: ReactNode;
  testId?: string;
  children?: ReactNode;
}

/** The card every node sits on: title, state, ports. */
export function NodeFrame({ nodeId, title, icon, isSelected, tone, badge, testId, children }: NodeFrameProps) {
  const classes = ["card", isSelected && "card--selected", tone && `card--${tone}`].filter(Boolean).join(" ");
  return (
    <article className={classes} data-testid={testId} aria-label={title}>
      <header className="card__head">
        <Icon name={icon} />
        <span className="card__title">{title}</span>
        {badge}
      </header>
      {children}
      <Ports nodeId={nodeId} />
    </article>
  );
}

import type { ReactNode } from "react";
import mark from "./easel.svg";

interface NoticeProps {
  title: string;
  children: ReactNode;
  actions?: ReactNode;
}

/** A whole page that says what is the case and what to do next. */
export function Notice({ title, children, actions }: NoticeProps) {
  return (
    <main className="notice-page">
      <div className="notice">
        <img className="notice__mark" src={mark} alt="" />
        <h1>{title}</h1>
        <p>{children}</p>
        {actions && <div className="notice__actions">{actions}</div>}
      </div>
    </main>
  );
}

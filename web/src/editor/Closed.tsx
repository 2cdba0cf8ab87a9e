import { followLink } from "../route";
import { Notice } from "../ui/Notice";

const REASONS: Record<number, [title: string, text: string]> = {
  4500: ["This page is out of date", "Easel was updated while you were here. Reload the page to go on."],
  4503: ["You no longer have access", "Ask the owner of this canvas to share it with you again."],
  4504: ["This canvas is not here", "It was moved to the trash, or it was never shared with you. Ask its owner."],
  4509: ["That was too much at once", "A change was larger than the canvas can take. Reload, and add it in smaller pieces."],
  4513: ["Paused", "This tab sent far more than a person can. Reload the page to go on."],
};

export function Closed({ code }: { code: number | null }) {
  const [title, text] = REASONS[code ?? 0] ?? ["The canvas was closed", "Reload the page to open it again."];
  return (
    <Notice
      title={title}
      actions={
        <>
          <a className="button button--primary" href="/" onClick={followLink}>
            All canvases
          </a>
          <a className="button button--plain" href={window.location.pathname}>
            Reload
          </a>
        </>
      }
    >
      {text}
    </Notice>
  );
}

import { followLink } from "../route";
import { Notice } from "../ui/Notice";
import { closingOf } from "./closing";

export function Closed({ code }: { code: number | null }) {
  const { title, text, needsSignIn } = closingOf(code) ?? { title: "The canvas was closed", text: "Reload the page to open it again." };
  return (
    <Notice
      title={title}
      actions={
        <>
          {!needsSignIn && (
            <a className="button button--primary" href="/" onClick={followLink}>
              All canvases
            </a>
          )}
          <a className={`button button--${needsSignIn ? "primary" : "plain"}`} href={window.location.pathname}>
            Reload
          </a>
        </>
      }
    >
      {text}
    </Notice>
  );
}

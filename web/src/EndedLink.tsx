import { Notice } from "./ui/Notice";

interface Refusal {
  code: string;
  detail: string;
}

const WORDS: Record<string, { title: string; text: string }> = {
  LINK_OVER: {
    title: "This link has ended",
    text: "It was revoked, it has expired, or its canvas is in the trash. Ask whoever sent it for a new one.",
  },
  LINK_USED: {
    title: "This login link has been used",
    text: "Each signs in one browser, once, within a day. If it was this browser, go on; if not, ask for a new link, or run “easel login-link”.",
  },
};

/** What the server wrote into the page when it was asked for a link that leads nowhere any more. */
export function readRefusal(): Refusal | null {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="easel-refusal"]');
  return meta === null ? null : { code: meta.content, detail: meta.dataset.detail ?? "" };
}

export function EndedLink({ code, detail }: Refusal) {
  const { title, text } = WORDS[code] ?? { title: "This link cannot be opened now", text: detail };
  return (
    <Notice
      title={title}
      actions={
        <a className="button button--primary" href="/">
          Go to Easel
        </a>
      }
    >
      {text}
    </Notice>
  );
}

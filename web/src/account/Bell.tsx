import { useState } from "react";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { since } from "../ui/elapsed";
import { forgetNews, markNewsRead, useToasts } from "../ui/toasts";
import "./account.css";

/** What was said in this tab and has gone again, errors above all: to be read later. */
export function Bell() {
  const news = useToasts((state) => state.news);
  const dismiss = useToasts((state) => state.dismiss);
  const [isOpen, setOpen] = useState(false);
  const unread = news.filter(({ tone, isRead }) => tone === "bad" && !isRead).length;
  const close = (): void => {
    setOpen(false);
    markNewsRead();
  };
  return (
    <span className="bell">
      <Button look="ghost" icon="bell" aria-label={unread > 0 ? `News, ${unread} of them unread errors` : "News"} aria-haspopup="dialog" data-testid="news" onClick={() => setOpen(true)} />
      {unread > 0 && (
        <span className="bell__count" aria-hidden="true">
          {unread}
        </span>
      )}
      {isOpen && (
        <Dialog label="News" className="dialog news" data-testid="news-list" onClose={close}>
          <header className="news__head">
            <h2>News</h2>
            {news.length > 0 && (
              <Button look="ghost" onClick={forgetNews}>
                Clear
              </Button>
            )}
            <Button look="ghost" icon="close" aria-label="Close" onClick={close} />
          </header>
          {news.length === 0 && <p className="news__none">Nothing to tell. What goes wrong is kept here, with what to do about it.</p>}
          <ul>
            {news.map(({ id, text, tone, at, action }) => (
              <li key={id} className={`news__item news__item--${tone}`}>
                <span className="news__text">
                  {text}
                  <time dateTime={at}>{since(at)}</time>
                </span>
                {action && (
                  <Button
                    onClick={() => {
                      close();
                      dismiss(id);
                      action.run();
                    }}
                  >
                    {action.label}
                  </Button>
                )}
              </li>
            ))}
          </ul>
        </Dialog>
      )}
    </span>
  );
}

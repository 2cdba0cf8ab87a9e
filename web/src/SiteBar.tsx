import { Bell } from "./account/Bell";
import { useAccountMenu } from "./account/useAccountMenu";
import { Avatar } from "./editor/Avatar";
import { followLink, usePath } from "./route";
import { useMe } from "./session";
import { isNameless } from "./sharing/YourName";
import { Button } from "./ui/Button";
import { MenuButton } from "./ui/MenuButton";
import mark from "./ui/easel.svg";

const PLACES = [
  { path: "/", label: "Canvases" },
  { path: "/renders", label: "My renders" },
  { path: "/artworks", label: "Artworks" },
  { path: "/runs", label: "Runs" },
];

/** Where one is, and the way to the other places. */
export function SiteBar() {
  const me = useMe();
  const path = usePath();
  const account = useAccountMenu();
  return (
    <header className="gallery__bar">
      <img src={mark} alt="" width="28" height="28" />
      <strong>Easel</strong>
      <nav className="site-nav" aria-label="Places">
        {PLACES.map((place) => (
          <a key={place.path} href={place.path} aria-current={path === place.path ? "page" : undefined} onClick={followLink}>
            {place.label}
          </a>
        ))}
      </nav>
      <span className="gallery__me">
        {me.role === "guest" && (
          <span className="pill" title="You came through a link. What was shared with you is here; for canvases of your own, ask for an account.">
            Guest
          </span>
        )}
        {isNameless(me) && <Button onClick={account.rename}>Say who you are</Button>}
        <Bell />
        <MenuButton label={`${me.name}: your account`} aria-label={undefined} look="ghost" items={account.items}>
          <Avatar user={me} />
          <span className="gallery__name" aria-hidden="true">
            {me.name}
          </span>
          <span className="visually-hidden">{me.name}: your account</span>
        </MenuButton>
      </span>
      {account.dialog}
    </header>
  );
}

import { followLink, usePath } from "./route";
import { useMe } from "./session";
import mark from "./ui/easel.svg";

const PLACES = [
  { path: "/", label: "Canvases" },
  { path: "/renders", label: "My renders" },
  { path: "/artworks", label: "Artworks" },
];

/** Where one is, and the way to the other places. */
export function SiteBar() {
  const me = useMe();
  const path = usePath();
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
      <span className="gallery__me">{me.name}</span>
    </header>
  );
}

/** Saving pictures to the person's own disk. */

/** `A fox, in the snow!` reads `a-fox-in-the-snow`; what is left of it where nothing can be said is `picture`. */
export function fileNameOf(text: string): string {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  let name = "";
  for (const word of words) {
    if (name.length + word.length > 60) break;
    name += (name === "" ? "" : "-") + word;
  }
  return name === "" ? "picture" : name;
}

/** Our own address of a picture, which can say what its file is called; a CDN's cannot. */
export function downloadUrl(url: string, name: string): string {
  const { pathname } = new URL(url, window.location.href);
  const key = pathname.split("/").slice(-3).join("/");
  return `/objects/${key}?download=${encodeURIComponent(name)}`;
}

export function save(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = downloadUrl(url, name);
  link.download = "";
  document.body.append(link);
  link.click();
  link.remove();
}

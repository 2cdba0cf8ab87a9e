/** A quiet cover for a canvas: the first letter of its name. */
export function CanvasGlyph({ name }: { name: string }) {
  const [initial = ""] = Array.from(name.trim());
  return (
    <span className="glyph" aria-hidden="true">
      {initial.toUpperCase()}
    </span>
  );
}

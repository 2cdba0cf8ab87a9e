import { useMemo, useState } from "react";
import { blurUrl } from "../ui/blur";

/** A picture in a list, and its blur until it has come. */
export function TilePicture({ src, blur }: { src: string; blur: string | null | undefined }) {
  const [arrived, setArrived] = useState<string | null>(null);
  const url = useMemo(() => (blur == null ? undefined : blurUrl(blur)), [blur]);
  const isWaiting = url !== undefined && arrived !== src;
  return (
    <img
      className="tile__picture"
      src={src}
      alt=""
      decoding="async"
      draggable={false}
      style={isWaiting ? { background: `url(${url}) center / cover` } : undefined}
      onLoad={() => setArrived(src)}
    />
  );
}

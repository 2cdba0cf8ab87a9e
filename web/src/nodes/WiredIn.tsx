import type { Model } from "./offer";

interface WiredInProps {
  words: readonly string[];
  hasPicture: boolean;
  model: Model | undefined;
}

/** What comes in through the wires, and what this model makes nothing of. */
export function WiredIn({ words, hasPicture, model }: WiredInProps) {
  const isLeftOut = hasPicture && model?.capabilities.previousImage === false;
  return (
    <>
      {words.length > 0 && (
        <p className="wired" title={words.join("\n")}>
          With <span>{words.join(", ")}</span>
        </p>
      )}
      {isLeftOut && <p className="wired wired--left-out">{model.label} starts from no picture: the wired one is left out.</p>}
    </>
  );
}

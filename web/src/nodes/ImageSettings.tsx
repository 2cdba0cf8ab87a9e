import { useState } from "react";
import { useCanvas } from "../react";
import { SIZES, type Picture } from "./picture";

export function ImageSettings({ nodeId, picture }: { nodeId: string; picture: Picture }) {
  const canvas = useCanvas();
  const [seed, setSeed] = useState<string | null>(null);
  const isListed = SIZES.some(({ value }) => value === picture.size);

  const commitSeed = (): void => {
    const typed = seed?.trim() ?? null;
    setSeed(null);
    if (typed === null || typed === String(picture.seed ?? "")) return;
    if (typed === "") void canvas.setNode(nodeId, {}, ["/data/seed"]);
    else void canvas.setNode(nodeId, { "/data/seed": Number(typed) });
  };

  return (
    <>
      <select
        className="field nodrag"
        aria-label="Size"
        value={picture.size}
        onChange={(event) => void canvas.setNode(nodeId, { "/data/size": event.currentTarget.value })}
      >
        {!isListed && <option value={picture.size}>{picture.size.replace("x", " × ")}</option>}
        {SIZES.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <input
        className="field field--seed nodrag"
        aria-label="Seed"
        title="The same seed and prompt give the same picture. Empty: a new one each time."
        placeholder="Seed"
        inputMode="numeric"
        value={seed ?? picture.seed ?? ""}
        onChange={(event) => setSeed(event.currentTarget.value.replace(/\D/g, "").slice(0, 10))}
        onBlur={commitSeed}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Enter") event.currentTarget.blur();
        }}
      />
    </>
  );
}

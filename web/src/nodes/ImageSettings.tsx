import { useId, useState } from "react";
import { useCanvas } from "../react";
import { Button } from "../ui/Button";
import { ModelChoice } from "./ModelChoice";
import { countOf, sizeLabel, sizesOf, type Model } from "./offer";
import type { Picture } from "./picture";
import { SettingText } from "./SettingText";

interface ImageSettingsProps {
  nodeId: string;
  picture: Picture;
  model: Model | undefined;
}

/** What the node's model is, and what this model lets one choose. Only what differs from the usual is open from the start. */
export function ImageSettings({ nodeId, picture, model }: ImageSettingsProps) {
  const isUnusual = [picture.seed, picture.quality, picture.negativePrompt].some((value) => value !== null) || picture.n > 1;
  const [isOpen, setOpen] = useState(isUnusual);
  const panel = useId();
  return (
    <div className="settings nodrag">
      <div className="settings__line">
        <ModelChoice nodeId={nodeId} picture={picture} />
        <Button look="ghost" icon="sliders" aria-label="Settings" aria-expanded={isOpen} aria-controls={panel} onClick={() => setOpen(!isOpen)} />
      </div>
      {isOpen && (
        <div className="settings__panel" id={panel}>
          <ShapeChoice nodeId={nodeId} picture={picture} model={model} />
          {model && <Choice nodeId={nodeId} name="quality" label="Quality" value={picture.quality ?? model.capabilities.qualities[0] ?? ""} options={model.capabilities.qualities} />}
          {model && model.capabilities.maxImages > 1 && <Count nodeId={nodeId} picture={picture} model={model} />}
          {(model === undefined || model.capabilities.seed) && <Seed nodeId={nodeId} seed={picture.seed} />}
          {model?.capabilities.negativePrompt && (
            <SettingText nodeId={nodeId} name="negativePrompt" label="Without" value={picture.negativePrompt ?? ""} hint="text, frames…" />
          )}
        </div>
      )}
    </div>
  );
}

function ShapeChoice({ nodeId, picture, model }: ImageSettingsProps) {
  const sizes = model ? sizesOf(model) : [picture.size];
  if (sizes.length > 0) return <Choice nodeId={nodeId} name="size" label="Size" value={picture.size} options={sizes} labelOf={sizeLabel} />;
  const ratios = model?.capabilities.aspectRatios ?? [];
  return <Choice nodeId={nodeId} name="aspectRatio" label="Shape" value={picture.aspectRatio ?? ratios[0] ?? ""} options={ratios} />;
}

interface ChoiceProps {
  nodeId: string;
  /** The key in the node's data. */
  name: string;
  label: string;
  value: string;
  options: readonly string[];
  labelOf?: (value: string) => string;
}

function Choice({ nodeId, name, label, value, options, labelOf = (one) => one }: ChoiceProps) {
  const canvas = useCanvas();
  if (options.length === 0) return null;
  const listed = options.includes(value) ? options : [value, ...options]; // it came from elsewhere; the nearest one is taken
  return (
    <label className="settings__row">
      <span>{label}</span>
      <select className="field" value={value} onChange={(event) => void canvas.setNode(nodeId, { [`/data/${name}`]: event.currentTarget.value })}>
        {listed.map((option) => (
          <option key={option} value={option}>
            {labelOf(option)}
          </option>
        ))}
      </select>
    </label>
  );
}

function Count({ nodeId, picture, model }: { nodeId: string; picture: Picture; model: Model }) {
  const canvas = useCanvas();
  const n = countOf(picture, model);
  return (
    <label className="settings__row">
      <span>Pictures</span>
      <input
        type="range"
        min={1}
        max={model.capabilities.maxImages}
        value={n}
        onChange={(event) => void canvas.setNode(nodeId, { "/data/n": Number(event.currentTarget.value) })}
      />
      <output>{n}</output>
    </label>
  );
}

function Seed({ nodeId, seed }: { nodeId: string; seed: number | null }) {
  return (
    <SettingText
      nodeId={nodeId}
      name="seed"
      label="Seed"
      value={seed === null ? "" : String(seed)}
      hint="a new one each time"
      title="The same seed and prompt give the same picture. Empty: a new one each time."
      parse={(typed) => Number(typed)}
      clean={(typed) => typed.replace(/\D/g, "").slice(0, 10)}
    />
  );
}

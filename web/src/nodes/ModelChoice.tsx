import { useCanvas } from "../react";
import { modelOf, readyModels } from "./offer";
import type { Picture } from "./picture";
import { useProviders } from "./useProviders";

/** Who paints it: the models of every provider that is set up here. */
export function ModelChoice({ nodeId, picture }: { nodeId: string; picture: Picture }) {
  const canvas = useCanvas();
  const { list, failure } = useProviders();
  const ready = (list ?? []).filter(({ configured }) => configured).map((provider) => ({ ...provider, models: readyModels(provider) }));
  const isListed = ready.some(({ id, models }) => id === picture.provider && models.some((model) => model.id === picture.model));
  const other = modelOf(list, picture);
  const why = other === undefined ? "not here" : "no longer to be had";
  const choose = (value: string): void => {
    const [provider = "", ...model] = value.split(" ");
    void canvas.setNode(nodeId, { "/data/provider": provider, "/data/model": model.join(" ") });
  };
  return (
    <select
      className="field settings__model"
      aria-label="Model"
      title={failure ?? "Who paints it"}
      value={`${picture.provider} ${picture.model}`}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      {!isListed && (
        <option value={`${picture.provider} ${picture.model}`}>
          {other?.label ?? picture.model}
          {list !== null && ` (${why})`}
        </option>
      )}
      {ready.map(({ id, name, models }) => (
        <optgroup key={id} label={name}>
          {models.map((model) => (
            <option key={model.id} value={`${id} ${model.id}`}>
              {model.label}
            </option>
          ))}
        </optgroup>
      ))}
    </select>
  );
}

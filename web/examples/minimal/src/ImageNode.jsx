import { useCanvas, useRun } from "@easel/react";
import { Handle, Position } from "@xyflow/react";
import { workflowId } from "./easel";

/** Write what you want to see and press Enter: everybody follows the picture being made. */
export function ImageNode({ id, data }) {
  const canvas = useCanvas();
  const run = useRun(id);

  const draw = async (event) => {
    event.preventDefault();
    const prompt = new FormData(event.target).get("prompt");
    await canvas.setNode(id, { "/data/prompt": prompt });
    await canvas.http.startRun({ workflowId, nodeId: id, provider: "local", promptSpec: { basePrompt: prompt } });
  };

  return (
    <form className="react-flow__node-default" style={{ width: 220 }} onSubmit={draw}>
      <Handle type="target" position={Position.Top} />
      <input key={data.prompt} name="prompt" className="nodrag" aria-label="Prompt" defaultValue={data.prompt} />
      {run?.status === "running" && <progress value={run.progress ?? 0} max={100} />}
      {data.imageUrl && <img src={canvas.http.pictureUrl(data.imageUrl)} alt={data.prompt} width="100%" />}
      <Handle type="source" position={Position.Bottom} />
    </form>
  );
}

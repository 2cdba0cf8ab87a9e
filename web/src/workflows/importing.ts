import { newId, type Workflow } from "../client";
import { http } from "../session";
import { say } from "../ui/toasts";

/** Makes a canvas of a JSON file, whichever product wrote it; the server opens the wrappers it knows. */
export async function importFile(file: File): Promise<Workflow> {
  const content = parseFlow(await file.text(), file.name);
  const name = typeof content.name === "string" && content.name !== "" ? content.name : file.name.replace(/\.json$/i, "");
  const workflow = await http.createWorkflow({ ...content, name: name.slice(0, 200) }, newId());
  for (const warning of workflow.warnings ?? []) say(warning);
  return workflow;
}

function parseFlow(text: string, fileName: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new Error(`“${fileName}” is not JSON. Export the flow as a JSON file and choose that one.`, { cause });
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new Error(`“${fileName}” holds no flow. Choose a file with nodes and edges in it.`);
  }
  return content as Record<string, unknown>;
}

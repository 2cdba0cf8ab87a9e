/** Whether a node is one of ours, or another product's whose type only has the same name. Pure: the shape of its data decides. */

interface Ended {
  type?: string | undefined;
  data: Record<string, unknown>;
}

/** What our cards read as text, and write over when somebody types. */
const TEXTS = ["prompt", "text", "title", "label", "negativePrompt"];
/** What they read as one value. */
const VALUES = ["provider", "model", "size", "aspectRatio", "quality", "seed", "n", "status", "jobId", "imageUrl", "thumbnailUrl", "error"];
/** What runs write that is more than one value; it may be on any node. */
const OF_RUNS: ReadonlySet<string> = new Set(["results", "madeWith"]);
/** Names that anybody would take. Ours are plain: one that holds a list or a record does something that is not known here. */
const COMMON: ReadonlySet<string> = new Set(["prompt", "note", "group"]);

export function isOurs({ type = "", data }: Ended): boolean {
  if (TEXTS.some((key) => data[key] != null && typeof data[key] !== "string")) return false;
  if (VALUES.some((key) => isStructure(data[key]))) return false;
  return !COMMON.has(type) || !Object.entries(data).some(([key, value]) => isStructure(value) && !OF_RUNS.has(key));
}

/** The type under which a node is known here; undefined for what nobody here knows. */
export function ourType(node: Ended | undefined): string | undefined {
  return node !== undefined && isOurs(node) ? node.type : undefined;
}

function isStructure(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

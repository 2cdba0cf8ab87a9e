/** What an image node's data says, whoever wrote it: imported flows hold all sorts of things under these keys. */

export type PictureStatus = "idle" | "pending" | "running" | "completed" | "error" | "cancelled";

export interface Picture {
  prompt: string;
  seed: number | null;
  size: string;
  aspectRatio: string | null;
  quality: string | null;
  negativePrompt: string | null;
  /** How many pictures a run makes. */
  n: number;
  provider: string;
  model: string;
  status: PictureStatus;
  jobId: string | null;
  imageUrl: string | null;
  thumbnailUrl: string | null;
  error: string | null;
  updatedAt: string | null;
}

/** One of the pictures that the last run made. */
export interface Result {
  imageUrl: string;
  thumbnailUrl: string;
  seed: number | null;
}

const DEFAULT_SIZE = "1024x1024";
const STATUSES: readonly string[] = ["pending", "running", "completed", "error", "cancelled"];

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

export function readPicture(data: Record<string, unknown>): Picture {
  const status = text(data.status) ?? "";
  return {
    prompt: text(data.prompt) ?? "",
    seed: typeof data.seed === "number" ? data.seed : null,
    size: text(data.size) ?? DEFAULT_SIZE,
    aspectRatio: text(data.aspectRatio),
    quality: text(data.quality),
    negativePrompt: text(data.negativePrompt),
    n: Number.isInteger(data.n) && (data.n as number) > 0 ? (data.n as number) : 1,
    provider: text(data.provider) ?? "local",
    model: text(data.model) ?? "studio-1",
    status: STATUSES.includes(status) ? (status as PictureStatus) : "idle",
    jobId: text(data.jobId),
    imageUrl: text(data.imageUrl),
    thumbnailUrl: text(data.thumbnailUrl),
    error: text(data.error),
    updatedAt: text(data.updatedAt),
  };
}

/** What the last run made, in order, as long as the node's picture is one of them: a later one may have come from elsewhere. */
export function readResults(data: Record<string, unknown>): Result[] {
  const results = Array.isArray(data.results) ? data.results.flatMap(readResult) : [];
  return results.some(({ imageUrl }) => imageUrl === data.imageUrl) ? results : [];
}

function readResult(value: unknown): Result[] {
  if (typeof value !== "object" || value === null) return [];
  const { imageUrl, thumbnailUrl, seed } = value as Record<string, unknown>;
  const url = text(imageUrl);
  return url === null ? [] : [{ imageUrl: url, thumbnailUrl: text(thumbnailUrl) ?? url, seed: typeof seed === "number" ? seed : null }];
}

export function isLive(status: PictureStatus): boolean {
  return status === "pending" || status === "running";
}

/** Width by height of a size like `1024x1536`. */
export function ratioOf(size: string): number {
  const [width, height] = size.split("x").map(Number);
  return width && height ? width / height : 1;
}

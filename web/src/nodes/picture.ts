/** What an image node's data says, whoever wrote it: imported flows hold all sorts of things under these keys. */

export type PictureStatus = "idle" | "pending" | "running" | "completed" | "error" | "cancelled";

export interface Picture {
  prompt: string;
  seed: number | null;
  size: string;
  provider: string;
  model: string;
  status: PictureStatus;
  jobId: string | null;
  imageUrl: string | null;
  thumbnailUrl: string | null;
  error: string | null;
  updatedAt: string | null;
}

export const SIZES = [
  { value: "1024x1024", label: "Square" },
  { value: "1536x1024", label: "Landscape" },
  { value: "1024x1536", label: "Portrait" },
] as const;

const STATUSES: readonly string[] = ["pending", "running", "completed", "error", "cancelled"];

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

export function readPicture(data: Record<string, unknown>): Picture {
  const status = text(data.status) ?? "";
  return {
    prompt: text(data.prompt) ?? "",
    seed: typeof data.seed === "number" ? data.seed : null,
    size: text(data.size) ?? SIZES[0].value,
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

export function isLive(status: PictureStatus): boolean {
  return status === "pending" || status === "running";
}

/** Width by height of a size like `1024x1536`. */
export function ratioOf(size: string): number {
  const [width, height] = size.split("x").map(Number);
  return width && height ? width / height : 1;
}

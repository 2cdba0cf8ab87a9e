/** The one way a picture takes from a person's disk: an address is asked for, the bytes go there, the server looks at them. */
import { EaselError, newId, type Artwork, type UploadTarget } from "../client";
import { http } from "../session";

export interface UploadPlace {
  workflowId: string;
  nodeId: string;
}

export interface UploadOptions {
  place?: UploadPlace | undefined;
  signal: AbortSignal;
  /** From 0 to 1: how much of the file has left. At 1 the server is at work. */
  onProgress: (share: number) => void;
}

export const TAKEN = "PNG, JPEG, WebP, GIF and AVIF";
const ENDING = /\.(png|jpe?g|webp|gif|avif)$/i;

/** Whether it is worth sending: what it really is, the server sees by its bytes. */
export function isPicture(file: File): boolean {
  return file.type.startsWith("image/") || (file.type === "" && ENDING.test(file.name));
}

export function titleOf(file: File): string {
  return file.name.replace(/\.[^.]{1,8}$/, "").trim().slice(0, 200) || "Untitled picture";
}

/** Raises EaselError with a sentence for the person; what `signal` raises when it is cancelled. */
export async function uploadPicture(file: File, { place, signal, onProgress }: UploadOptions): Promise<Artwork> {
  if (!isPicture(file)) throw new EaselError(422, "NOT_A_PICTURE", `“${file.name}” is not a picture. ${TAKEN} are taken.`);
  const target = await http.requestUpload({ filename: file.name, contentType: file.type || "application/octet-stream", sizeBytes: file.size });
  signal.throwIfAborted();
  await sendBytes(file, target, signal, onProgress);
  const { data } = await http.createArtwork({ title: titleOf(file), originalKey: target.key, ...place }, newId());
  return data;
}

/** XMLHttpRequest, because fetch tells nothing of what has left. */
function sendBytes(file: File, target: UploadTarget, signal: AbortSignal, onProgress: (share: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(target.method, target.uploadUrl);
    for (const [name, value] of Object.entries(target.headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(refusal(request));
    };
    request.onerror = () => reject(new EaselError(0, "UNREACHABLE", "The picture could not be sent. Check the connection, then try again."));
    request.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

function refusal({ status, responseText }: XMLHttpRequest): EaselError {
  try {
    const { code, detail } = JSON.parse(responseText) as { code?: string; detail?: string };
    if (detail !== undefined) return new EaselError(status, code ?? "HTTP_ERROR", detail);
  } catch {
    // an object store answers in XML
  }
  return new EaselError(status, "HTTP_ERROR", `The picture store refused the picture (${status}). Try again.`);
}

/** A random id of 32 hexadecimal digits. `crypto.randomUUID` is missing on pages that came over plain HTTP; this is not. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What is shown until a picture has come: its ThumbHash (https://evanw.github.io/thumbhash/), as the server gives it. */

const LONG_SIDE = 32;

interface Wave {
  across: number;
  down: number;
  terms: number[];
}

export interface BlurredPixels {
  width: number;
  height: number;
  /** RGBA, row by row. */
  data: Uint8ClampedArray<ArrayBuffer>;
}

/** A `data:` URL; undefined for a hash that is none. */
export function blurUrl(hash: string): string | undefined {
  const pixels = pixelsOf(hash);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  if (pixels === undefined || context === null) return undefined;
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  context.putImageData(new ImageData(pixels.data, pixels.width, pixels.height), 0, 0);
  return canvas.toDataURL();
}

export function pixelsOf(hash: string): BlurredPixels | undefined {
  const bytes = bytesOf(hash);
  if (bytes === undefined || bytes.length < 5) return undefined;
  const at = (index: number): number => bytes[index] ?? 0;
  const head = at(0) | (at(1) << 8) | (at(2) << 16);
  const tail = at(3) | (at(4) << 8);
  const hasAlpha = head >> 23 === 1;
  const isWide = tail >> 15 === 1;
  const most = hasAlpha ? 5 : 7;
  const least = Math.max(1, tail & 7);
  const [across, down] = isWide ? [most, least] : [least, most];

  let nibble = (hasAlpha ? 6 : 5) * 2;
  const wave = (nx: number, ny: number, scale: number): Wave => {
    const terms: number[] = [];
    forEachTerm(nx, ny, () => {
      const value = (at(nibble >> 1) >> ((nibble & 1) * 4)) & 15;
      terms.push((value / 7.5 - 1) * scale);
      nibble += 1;
    });
    return { across: nx, down: ny, terms };
  };
  // Colours a quarter stronger: four bits each leave them pale.
  const light = wave(Math.max(3, across), Math.max(3, down), ((head >> 18) & 31) / 31);
  const yellowBlue = wave(3, 3, (((tail >> 3) & 63) / 63) * 1.25);
  const redGreen = wave(3, 3, (((tail >> 9) & 63) / 63) * 1.25);
  const clear = hasAlpha ? wave(5, 5, (at(5) >> 4) / 15) : undefined;

  const ratio = across / down;
  const width = Math.round(ratio > 1 ? LONG_SIDE : LONG_SIDE * ratio);
  const height = Math.round(ratio > 1 ? LONG_SIDE / ratio : LONG_SIDE);
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const place = [(x + 0.5) / width, (y + 0.5) / height] as const;
      const l = (head & 63) / 63 + heightAt(light, place);
      const p = ((head >> 6) & 63) / 31.5 - 1 + heightAt(yellowBlue, place);
      const q = ((head >> 12) & 63) / 31.5 - 1 + heightAt(redGreen, place);
      const alpha = clear === undefined ? 1 : (at(5) & 15) / 15 + heightAt(clear, place);
      const blue = l - (2 / 3) * p;
      const red = (3 * l - blue + q) / 2;
      data.set([red * 255, (red - q) * 255, blue * 255, alpha * 255], (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

function bytesOf(hash: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(hash), (one) => one.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function forEachTerm(across: number, down: number, visit: (x: number, y: number) => void): void {
  for (let y = 0; y < down; y++) for (let x = y === 0 ? 1 : 0; x * down < across * (down - y); x++) visit(x, y);
}

function heightAt({ across, down, terms }: Wave, [x, y]: readonly [number, number]): number {
  let sum = 0;
  let index = 0;
  forEachTerm(across, down, (kx, ky) => {
    sum += (terms[index++] ?? 0) * Math.cos(Math.PI * kx * x) * Math.cos(Math.PI * ky * y) * (ky > 0 ? 2 : 1);
  });
  return sum;
}

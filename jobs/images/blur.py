"""A picture in 25 bytes or fewer, shown until the picture itself has come: a ThumbHash in base64.

The format is Evan Wallace's (https://evanw.github.io/thumbhash/): a header of five bytes, one more with alpha, then the
lowest terms of a cosine transform of luminance, two differences of colour and alpha, four bits each. There are decoders
for browsers, iOS and Android.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from math import cos, pi

from PIL import Image

SIDE_PX = 24  # seven terms ask for no more


def blur_of(image: Image.Image) -> str:
    """At most 36 characters. `image` is RGB or RGBA; the smaller it is, the cheaper."""
    long_px = max(image.size)
    width, height = (max(1, round(SIDE_PX * side / long_px)) for side in image.size)
    small = image.convert("RGBA").resize((width, height), Image.Resampling.BOX)
    data = small.tobytes()
    pixels = [data[at : at + 4] for at in range(0, len(data), 4)]
    luminance, yellow_blue, red_green, alpha = _channels(pixels)
    has_alpha = min(alpha) < 1

    most = 5 if has_alpha else 7
    across, down = max(1, round(most * width / max(width, height))), max(1, round(most * height / max(width, height)))
    size = (width, height)
    l_mean, l_terms, l_scale = _terms(luminance, size, max(3, across), max(3, down))
    p_mean, p_terms, p_scale = _terms(yellow_blue, size, 3, 3)
    q_mean, q_terms, q_scale = _terms(red_green, size, 3, 3)
    terms = [*l_terms, *p_terms, *q_terms]

    head = _part(l_mean, 63) | _part((p_mean + 1) / 2, 63) << 6 | _part((q_mean + 1) / 2, 63) << 12
    head |= _part(l_scale, 31) << 18 | has_alpha << 23
    tail = (down if width > height else across) | _part(p_scale, 63) << 3 | _part(q_scale, 63) << 9
    tail |= (width > height) << 15
    packed = head.to_bytes(3, "little") + tail.to_bytes(2, "little")
    if has_alpha:
        a_mean, a_terms, a_scale = _terms(alpha, size, 5, 5)
        packed += bytes([_part(a_mean, 15) | _part(a_scale, 15) << 4])
        terms += a_terms
    return base64.b64encode(packed + _nibbles(terms)).decode()


def _channels(pixels: Sequence[bytes]) -> tuple[list[float], list[float], list[float], list[float]]:
    """Luminance, yellow less blue, red less green, alpha; what is transparent counts as the picture's mean colour."""
    alpha = [pixel[3] / 255 for pixel in pixels]
    weight = sum(alpha) or 1
    mean = [
        sum(pixel[channel] * a for pixel, a in zip(pixels, alpha, strict=True)) / weight / 255 for channel in range(3)
    ]
    luminance, yellow_blue, red_green = [], [], []
    for pixel, a in zip(pixels, alpha, strict=True):
        red, green, blue = (mean[channel] * (1 - a) + pixel[channel] / 255 * a for channel in range(3))
        luminance.append((red + green + blue) / 3)
        yellow_blue.append((red + green) / 2 - blue)
        red_green.append(red - green)
    return luminance, yellow_blue, red_green, alpha


def _terms(channel: list[float], size: tuple[int, int], across: int, down: int) -> tuple[float, list[float], float]:
    """The mean, the other terms as 0 to 1 with 0.5 for none, and the largest of them, which is their scale."""
    width, height = size
    waves = [[cos(pi / width * k * (x + 0.5)) for x in range(width)] for k in range(across)]
    rows = [channel[start : start + width] for start in range(0, width * height, width)]
    by_row = [[sum(map(float.__mul__, row, wave)) for row in rows] for wave in waves]
    mean, terms = 0.0, []
    for y in range(down):
        wave = [cos(pi / height * y * (row + 0.5)) for row in range(height)]
        for x in range(across):
            if x * down >= across * (down - y):
                break
            term = sum(map(float.__mul__, by_row[x], wave)) / (width * height)
            if x or y:
                terms.append(term)
            else:
                mean = term
    scale = max((abs(term) for term in terms), default=0.0)
    return mean, [0.5 + 0.5 / scale * term if scale else 0.5 for term in terms], scale


def _part(value: float, most: int) -> int:
    return int(most * min(1.0, max(0.0, value)) + 0.5)


def _nibbles(terms: list[float]) -> bytes:
    def pairs() -> Iterator[int]:
        for at in range(0, len(terms), 2):
            high = _part(terms[at + 1], 15) if at + 1 < len(terms) else 0
            yield _part(terms[at], 15) | high << 4

    return bytes(pairs())

"""In the manner of a colour woodcut: a large disc with rings, bands of cloud, and rows of waves with crests of foam."""

from __future__ import annotations

import math
from functools import partial

from PIL import Image, ImageChops, ImageDraw

from jobs.images.studio import brushes
from jobs.images.studio.canvas import Canvas, Layer
from jobs.images.studio.palette import Colour, mixed
from jobs.images.studio.sketch import word_set

WORDS = word_set(
    "wave ocean sea water surf circle pattern japanese zen whale fish ship boat sail print poster graphic woodcut"
    " geometric retro minimal koi"
)
PAPER: Colour = (250, 243, 226)
ROWS = 6


def layers(_canvas: Canvas) -> list[Layer]:
    messages = ("Waves on the horizon", "Farther waves", "Rolling in", "A larger set", "The swell", "The wave in front")
    return [
        ("Washing the paper", wash),
        ("Rings around the disc", rings),
        ("The disc", disc),
        ("Bands of cloud", clouds),
        *((message, partial(wave, row=row)) for row, message in enumerate(messages)),
        ("Paper fibres", fibres),
    ]


def wash(canvas: Canvas) -> None:
    tone = 0.12 if canvas.palette.night else 0.42
    stops = [mixed(colour, PAPER, tone) for colour in canvas.palette.sky[1:]]
    canvas.image = brushes.vertical_gradient(canvas.size, stops)


def rings(canvas: Canvas) -> None:
    x, y = canvas.light
    step, first = canvas.unit * 0.052, canvas.unit * 0.26

    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        for ring in range(26):
            radius = first + step * ring
            width = max(1, round(canvas.unit * 0.0032 * scale))
            box = [v * scale for v in (x - radius, y - radius, x + radius, y + radius)]
            draw.ellipse(box, outline=max(20, 165 - ring * 10), width=width)

    canvas.image.paste(mixed(canvas.palette.light, PAPER, 0.3), mask=brushes.shape(canvas.size, paint))


def disc(canvas: Canvas) -> None:
    (x, y), palette = canvas.light, canvas.palette
    radius = canvas.unit * 0.215

    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        draw.ellipse([v * scale for v in (x - radius, y - radius, x + radius, y + radius)], fill=255)

    mask = brushes.shape(canvas.size, paint)
    warm = palette.light if palette.night else mixed(palette.accents[-1], (226, 74, 51), 0.75)
    low = mixed(warm, palette.accents[2], 0.45)
    face = Image.new("RGB", canvas.size, low)
    face.paste(
        brushes.vertical_gradient((canvas.width, max(2, round(radius * 2))), (warm, low)), (0, round(y - radius))
    )
    canvas.image.paste(face, mask=mask)


def clouds(canvas: Canvas) -> None:
    """Flat clouds of stacked round bars."""
    rng, unit = canvas.rng, canvas.unit
    bars = []
    for _ in range(4):
        x, y = rng.random() * canvas.width, canvas.horizon * rng.uniform(0.12, 0.8)
        for bar in range(rng.randint(2, 4)):
            length = unit * rng.uniform(0.16, 0.42)
            bars.append((x + unit * rng.uniform(-0.16, 0.16) - length / 2, y + bar * unit * 0.027, length))

    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        thick = unit * 0.021
        for left, top, length in bars:
            box = [v * scale for v in (left, top, left + length, top + thick)]
            draw.rounded_rectangle(box, radius=thick / 2 * scale, fill=215)

    colour = mixed(PAPER, canvas.palette.sky[-1], 0.35 if not canvas.palette.night else 0.6)
    canvas.image.paste(colour, mask=brushes.shape(canvas.size, paint))


def wave(canvas: Canvas, row: int) -> None:
    """One row: a body that darkens downwards, a crest of foam, and lines that follow the crest."""
    palette, height = canvas.palette, canvas.height
    near = row / (ROWS - 1)
    base = canvas.horizon + (height * 0.93 - canvas.horizon) * near**0.9
    crest = _crest(canvas, base, near)
    mask = brushes.below(canvas.size, crest)

    top = mixed(mixed(palette.far, palette.accents[0], 0.5), palette.near, 0.15 + 0.5 * near)
    bottom = mixed(top, palette.near, 0.65)
    start = max(0, round(min(crest)))
    body = Image.new("RGB", canvas.size, bottom)
    body.paste(brushes.vertical_gradient((canvas.width, max(2, round(height * 0.16))), (top, bottom)), (0, start))
    canvas.image.paste(body, mask=mask)

    foam = mixed(PAPER, palette.sky[-1], 0.3)
    canvas.image.paste(foam, mask=_lines_under(canvas, crest, near))


def _crest(canvas: Canvas, base: float, near: float) -> list[float]:
    """Peaked like a trochoid: narrow tops and wide troughs."""
    rng, count = canvas.rng, 220
    length = canvas.unit * (0.13 + 0.3 * near) * rng.uniform(0.9, 1.15)
    tall = canvas.unit * (0.014 + 0.062 * near) * rng.uniform(0.9, 1.2)
    phase, slow = rng.uniform(0, math.tau), rng.uniform(0, math.tau)
    crest = []
    for point in range(count + 1):
        x = point / count * canvas.width
        peak = 1 - abs(math.sin(math.pi * x / length + phase)) ** 0.8
        crest.append(base - tall * (peak * (0.72 + 0.28 * math.sin(x / length * 0.9 + slow)) * 1.9 - 0.5))
    return crest


def _lines_under(canvas: Canvas, crest: list[float], near: float) -> Image.Image:
    gap = canvas.unit * (0.006 + 0.0115 * near)

    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        step = canvas.width * scale / (len(crest) - 1)
        for line in range(4):
            sag = [(at * step, (y + line * gap * (1 + 0.22 * line)) * scale) for at, y in enumerate(crest)]
            width = canvas.unit * (0.0042 if line == 0 else 0.0021) * (0.5 + near) * scale
            draw.line(sag, fill=(235, 130, 90, 55)[line], width=max(1, round(width)), joint="curve")

    return brushes.shape(canvas.size, paint)


def fibres(canvas: Canvas) -> None:
    fine = brushes.levels(canvas.noise(90, octaves=2, stretched=4.0), 120, 250, 0.2)
    blotch = brushes.levels(canvas.noise(3, octaves=3), 120, 220, 0.14)
    canvas.image.paste(PAPER, mask=ImageChops.lighter(fine, blotch))

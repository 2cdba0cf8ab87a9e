"""Abstract: bundles of fine silk lines that cross a dark ground, with a few sparks."""

from __future__ import annotations

import math
from functools import partial

from PIL import Image, ImageChops, ImageFilter

from jobs.images.studio import brushes
from jobs.images.studio.canvas import Canvas, Layer
from jobs.images.studio.palette import Colour, mixed
from jobs.images.studio.sketch import word_set

WORDS = word_set(
    "abstract ribbon silk flow music sound dream energy thought smoke light motion dance wind gradient fluid dragon"
    " love mind emotion swirl art magic jazz"
)
BLACK: Colour = (6, 6, 16)
LINES = 84
POINTS = 72


def layers(_canvas: Canvas) -> list[Layer]:
    names = ("The first ribbon", "A second, across", "A third", "The bright one", "The last, in front")
    return [
        ("A dark ground", ground),
        ("Mist in colour", mist),
        *((name, partial(ribbon, index=index)) for index, name in enumerate(names)),
        ("Bloom", bloom),
        ("Sparks", sparks),
    ]


def ground(canvas: Canvas) -> None:
    dark = [
        mixed(colour, BLACK, 0.74) for colour in (canvas.palette.sky[0], canvas.palette.near, canvas.palette.sky[1])
    ]
    canvas.image = brushes.vertical_gradient(canvas.size, dark)


def mist(canvas: Canvas) -> None:
    rng, palette = canvas.rng, canvas.palette
    for colour in (palette.sky[2], palette.accents[0], palette.accents[1]):
        spot = (canvas.width * rng.random(), canvas.height * rng.random())
        cloud = brushes.glow(canvas.size, spot, max(canvas.size) * rng.uniform(0.45, 0.75), 1.8, 0.34)
        veil = brushes.levels(canvas.noise(3, octaves=4), 90, 200)
        canvas.image = brushes.lit(canvas.image, colour, ImageChops.multiply(cloud, veil))


def ribbon(canvas: Canvas, index: int) -> None:
    """Lines between two wandering curves: where the curves cross, the ribbon turns over and shines."""
    rng, accents = canvas.rng, canvas.palette.accents
    first, second = _curve(canvas), _curve(canvas)
    from_colour, to_colour = accents[index % len(accents)], accents[(index + 1) % len(accents)]
    lift = rng.uniform(-0.2, 0.2) * canvas.height
    lines = []
    for number in range(LINES):
        share = number / (LINES - 1)
        bend = 0.5 - 0.5 * math.cos(math.pi * share)
        points = [
            (x, a + (b - a) * bend + lift * math.sin(math.pi * share) * 0.35)
            for (x, a), (_, b) in zip(first, second, strict=True)
        ]
        edge = 1.0 - 0.75 * math.sin(math.pi * share)
        lines.append((points, mixed(from_colour, to_colour, share), round(36 + 96 * edge)))
    canvas.image = ImageChops.screen(canvas.image, brushes.silk(canvas.size, lines, canvas.unit * 0.0011))


def _curve(canvas: Canvas) -> list[brushes.Point]:
    rng = canvas.rng
    middle, tilt = rng.uniform(0.22, 0.78), rng.uniform(-0.4, 0.4)
    waves = [(rng.uniform(0.4, 2.3), rng.uniform(0, math.tau), rng.uniform(0.05, 0.24)) for _ in range(3)]
    curve = []
    for point in range(POINTS + 1):
        along = point / POINTS
        swing = sum(height * math.sin(math.tau * speed * along + phase) for speed, phase, height in waves)
        curve.append(((along * 1.1 - 0.05) * canvas.width, (middle + tilt * (along - 0.5) + swing) * canvas.height))
    return curve


def bloom(canvas: Canvas) -> None:
    small = canvas.image.reduce(4)
    bright = small.point([max(0, level - 90) for level in range(256)] * 3)
    soft = bright.filter(ImageFilter.GaussianBlur(canvas.unit * 0.008))
    canvas.image = ImageChops.screen(canvas.image, soft.resize(canvas.size, Image.Resampling.BICUBIC))


def sparks(canvas: Canvas) -> None:
    rng, unit = canvas.rng, canvas.unit
    mask = Image.new("L", canvas.size)
    for _ in range(36):
        radius = unit * (0.003 + 0.014 * rng.random() ** 4)
        spot = brushes.glow((round(radius * 2) + 1,) * 2, (radius, radius), radius, 2.4, rng.uniform(0.4, 1.0))
        mask.paste(spot, (round(rng.random() * canvas.width), round(rng.random() * canvas.height)))
    canvas.image = brushes.lit(canvas.image, mixed(canvas.palette.light, canvas.palette.accents[2], 0.25), mask)

"""A city by the water at night: rows of towers, lit windows, signs in colour, and all of it on the water again."""

from __future__ import annotations

import math
from functools import partial
from random import Random

import msgspec
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from jobs.images.studio import brushes, landscape
from jobs.images.studio.canvas import Canvas, Layer
from jobs.images.studio.palette import Colour, mixed
from jobs.images.studio.sketch import word_set

WORDS = word_set(
    "city neon skyline street tower building cyberpunk tokyo york paris london night downtown robot future futuristic"
    " synthwave rain urban car skyscraper vaporwave arcade metropolis"
)
INK: Colour = (4, 4, 12)


class Tower(msgspec.Struct, frozen=True):
    left: float
    width: float
    top: float
    spire: float


def layers(canvas: Canvas) -> list[Layer]:
    canvas.horizon = canvas.height * 0.7
    return [
        ("The evening sky", sky),
        ("The moon", moon),
        ("Towers far away", partial(row, near=0.0)),
        ("The middle of town", partial(row, near=0.5)),
        ("The waterfront", partial(row, near=1.0)),
        ("Signs in colour", signs),
        ("The river", river),
        ("Haze and glow", haze),
    ]


def sky(canvas: Canvas) -> None:
    palette = canvas.palette
    dark = 0.05 if palette.night else 0.5
    stops = [mixed(colour, INK, dark * (1 - index / 5)) for index, colour in enumerate(palette.sky)]
    canvas.image.paste(brushes.vertical_gradient((canvas.width, round(canvas.horizon) + 1), stops), (0, 0))
    landscape.stars(canvas, 220)
    cover = brushes.levels(canvas.noise(4, octaves=6, stretched=2.6), 125, 210, 0.5)
    low = brushes.fade(canvas.size, lambda y: 1 - abs(y - 0.45) * 2.4)
    canvas.image = brushes.lit(canvas.image, mixed(palette.sky[2], INK, 0.3), ImageChops.multiply(cover, low))


def moon(canvas: Canvas) -> None:
    x = canvas.light[0]
    radius = canvas.unit * canvas.rng.uniform(0.09, 0.15)
    y = canvas.height * 0.27

    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        draw.ellipse([v * scale for v in (x - radius, y - radius, x + radius, y + radius)], fill=255)

    disc = brushes.shape(canvas.size, paint)
    halo = brushes.glow(canvas.size, (x, y), radius * 4.2, 2.4, 0.5)
    canvas.image = brushes.lit(canvas.image, mixed(canvas.palette.light, canvas.palette.accents[1], 0.4), halo)
    face = brushes.vertical_gradient(canvas.size, (canvas.palette.light, canvas.palette.light, canvas.palette.sky[-1]))
    canvas.image.paste(face, mask=disc)
    seas = ImageChops.multiply(disc, brushes.levels(canvas.noise(18, octaves=3), 125, 225, 0.3))
    canvas.image.paste(canvas.palette.sky[-2], mask=seas)


def row(canvas: Canvas, near: float) -> None:
    towers = _towers(canvas, near)
    colour = mixed(mixed(canvas.palette.far, canvas.palette.sky[-2], 0.35), mixed(canvas.palette.near, INK, 0.4), near)
    foot = mixed(colour, canvas.palette.sky[-1], 0.45 * (1 - near))
    mask = _silhouette(canvas, towers)
    top = max(0, round(min(tower.top for tower in towers)))
    wall = Image.new("RGB", canvas.size, foot)
    wall.paste(brushes.vertical_gradient((canvas.width, max(2, round(canvas.horizon) - top)), (colour, foot)), (0, top))
    canvas.image.paste(wall, mask=mask)
    if near > 0:
        _windows(canvas, towers, near)


def _towers(canvas: Canvas, near: float) -> list[Tower]:
    rng, unit = canvas.rng, canvas.unit
    towers, left = [], -unit * 0.03
    centre = canvas.width * rng.uniform(0.3, 0.7)
    while left < canvas.width:
        width = unit * rng.uniform(0.045, 0.1) * (0.75 + 0.45 * near)
        downtown = math.exp(-(((left - centre) / (0.33 * canvas.width)) ** 2))
        tall = canvas.height * (0.1 + (0.34 - 0.13 * near) * downtown * rng.uniform(0.45, 1.0) + 0.07 * rng.random())
        spire = tall * rng.uniform(0.12, 0.3) if rng.random() < 0.22 else 0.0
        towers.append(Tower(left, width, canvas.horizon - tall, spire))
        left += width * rng.uniform(0.72, 1.15 if near < 1 else 1.3)
    return towers


def _silhouette(canvas: Canvas, towers: list[Tower]) -> Image.Image:
    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        for tower in towers:
            right, middle = tower.left + tower.width, tower.left + tower.width / 2
            box = [v * scale for v in (tower.left, tower.top, right, canvas.horizon)]
            draw.rectangle(box, fill=255)
            if tower.spire:
                step = tower.width * 0.2
                stage = (tower.left + step, tower.top - tower.spire * 0.3, right - step, tower.top)
                draw.rectangle([v * scale for v in stage], fill=255)
                mast = [(middle * scale, (tower.top - tower.spire) * scale), (middle * scale, tower.top * scale)]
                draw.line(mast, fill=255, width=max(1, round(canvas.unit * 0.0022 * scale)))

    return brushes.shape(canvas.size, paint)


def _windows(canvas: Canvas, towers: list[Tower], near: float) -> None:
    rng, unit = canvas.rng, canvas.unit
    pane = unit * (0.0042 + 0.0026 * near)
    warm = (mixed(canvas.palette.light, (255, 196, 110), 0.6), (255, 224, 170), canvas.palette.accents[0])
    draw = ImageDraw.Draw(canvas.image, "RGBA")
    for tower in towers:
        columns = max(2, int(tower.width / (pane * 2.1)))
        gap = tower.width / columns
        floors = max(1, int((canvas.horizon - tower.top) / (pane * 2.3)))
        busy = rng.uniform(0.12, 0.5)
        for floor in range(1, floors):
            y = tower.top + floor * pane * 2.3
            for column in range(columns):
                if rng.random() < busy:
                    x = tower.left + gap * (column + 0.5) - pane / 2
                    colour = warm[0] if rng.random() < 0.6 else rng.choice(warm)
                    box = (x, y, x + pane, y + pane * 1.25)
                    draw.rectangle(box, fill=(*colour, rng.randint(70, 235)))


def signs(canvas: Canvas) -> None:
    rng, unit = canvas.rng, canvas.unit
    paint_light = Image.new("RGB", canvas.size)
    draw = ImageDraw.Draw(paint_light)
    for _ in range(13):
        x, y = rng.random() * canvas.width, canvas.horizon - canvas.height * rng.uniform(0.02, 0.2)
        _sign(draw, rng, (x, y), unit, rng.choice(canvas.palette.accents))
    halo = paint_light.reduce(4).filter(ImageFilter.GaussianBlur(unit * 0.0045))
    bright = halo.point([min(255, round(level * 1.9)) for level in range(256)] * 3)
    canvas.image = ImageChops.screen(canvas.image, bright.resize(canvas.size, Image.Resampling.BICUBIC))
    canvas.image = ImageChops.screen(canvas.image, paint_light)


def _sign(draw: ImageDraw.ImageDraw, rng: Random, at: brushes.Point, unit: int, colour: Colour) -> None:
    x, y = at
    if rng.random() < 0.5:
        tall = unit * rng.uniform(0.04, 0.1)
        for stroke in range(int(tall / (unit * 0.013))):
            top = y + stroke * unit * 0.013
            draw.rectangle((x, top, x + unit * 0.011, top + unit * 0.008), fill=colour)
    else:
        wide = unit * rng.uniform(0.03, 0.085)
        draw.rectangle((x, y, x + wide, y + unit * 0.0035), fill=colour)
        draw.rectangle((x, y + unit * 0.008, x + wide * 0.7, y + unit * 0.0105), fill=colour)


def river(canvas: Canvas) -> None:
    shore = round(canvas.horizon)
    deep_px = canvas.height - shore
    above = canvas.image.crop((0, shore - round(deep_px * 1.12), canvas.width, shore))
    mirror = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((canvas.width, deep_px), Image.Resampling.BILINEAR)
    # Light on water at night runs down in streaks: the mirror is squeezed flat and drawn out again.
    streaks = mirror.resize((canvas.width, max(2, deep_px // 26)), Image.Resampling.BOX)
    streaks = streaks.resize(mirror.size, Image.Resampling.BICUBIC).point(
        [min(255, round(level * 1.25)) for level in range(256)] * 3
    )
    surface = landscape.rippled(canvas, Image.blend(mirror, streaks, 0.66), strength=0.4)
    tint = brushes.vertical_gradient(surface.size, (canvas.palette.sky[1], mixed(canvas.palette.near, INK, 0.5)))
    canvas.image.paste(Image.blend(surface, tint, 0.28), (0, shore))
    quay = ImageDraw.Draw(canvas.image)
    quay.rectangle((0, shore - canvas.unit * 0.003, canvas.width, shore + canvas.unit * 0.002), fill=INK)


def haze(canvas: Canvas) -> None:
    """Light that the air keeps above the streets."""
    line = canvas.horizon / canvas.height
    band = brushes.fade(canvas.size, lambda y: 0.34 * math.exp(-(((y - line) / 0.13) ** 2)))
    drift = brushes.levels(canvas.noise(3, octaves=4, stretched=3.0), 70, 200)
    canvas.image = brushes.lit(canvas.image, canvas.palette.sky[-2], ImageChops.multiply(band, drift))
    small = canvas.image.reduce(4)
    bright = small.point([max(0, level - 150) for level in range(256)] * 3)
    soft = bright.filter(ImageFilter.GaussianBlur(canvas.unit * 0.005))
    canvas.image = ImageChops.screen(canvas.image, soft.resize(canvas.size, Image.Resampling.BICUBIC))

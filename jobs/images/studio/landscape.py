"""A wide country: sky, sun or moon, clouds, ridges that pale with distance, water or woods in front."""

from __future__ import annotations

import math
from functools import partial

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from jobs.images.studio import brushes
from jobs.images.studio.canvas import Canvas, Layer
from jobs.images.studio.palette import Colour, mixed
from jobs.images.studio.sketch import word_set

WORDS = word_set(
    "mountain forest desert dune hill valley lake river landscape tree fox wolf bear deer snow alps aurora canyon"
    " sunset sunrise moon star winter autumn spring meadow field island camel dawn wood peak jungle beach"
    " blossom cherry sakura flower garden horse cottage castle"
)
WATER_WORDS = word_set("ocean sea water lake river beach wave ship boat island reflection calm fish whale")
DRY_WORDS = word_set("desert dune sand camel canyon mars egypt pyramid savanna cactus")


def layers(canvas: Canvas) -> list[Layer]:
    ridges = [
        ("Far ridges in the haze", partial(ridge, depth=0.0)),
        ("The mountains behind", partial(ridge, depth=0.3)),
        ("The hills between", partial(ridge, depth=0.58)),
    ]
    return [
        ("Mixing the sky", sky),
        ("Placing the light", light),
        ("Drifting clouds", clouds),
        *ridges,
        *_foreground(canvas),
    ]


def _foreground(canvas: Canvas) -> list[Layer]:
    if canvas.words & DRY_WORDS:
        return [("Dunes", partial(ridge, depth=0.8)), ("The nearest dune", partial(ridge, depth=1.0)), ("Birds", birds)]
    wet = canvas.words & WATER_WORDS or canvas.rng.random() < 0.45
    middle: Layer = ("Filling the lake", water) if wet else ("The near slope", partial(ridge, depth=0.8))
    return [middle, ("Trees on the shore", trees), ("Birds" if not canvas.palette.night else "Fireflies", birds)]


def sky(canvas: Canvas) -> None:
    tall = (canvas.width, round(canvas.horizon * 1.12))
    canvas.image.paste(brushes.vertical_gradient(tall, canvas.palette.sky), (0, 0))
    if canvas.palette.night:
        _milky_way(canvas)
        stars(canvas, 420)


def stars(canvas: Canvas, count: int) -> None:
    rng, unit = canvas.rng, canvas.unit
    spots = [
        (rng.random() * canvas.width, rng.random() ** 1.3 * canvas.horizon, rng.random() ** 7, rng.randint(90, 255))
        for _ in range(count)
    ]

    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        for x, y, size, brightness in spots:
            radius = unit * (0.0006 + 0.0018 * size) * scale
            draw.ellipse((x * scale - radius, y * scale - radius, x * scale + radius, y * scale + radius), brightness)

    mask = brushes.shape(canvas.size, paint)
    halo = mask.filter(ImageFilter.GaussianBlur(unit * 0.004))
    canvas.image = brushes.lit(canvas.image, canvas.palette.light, ImageChops.add(mask, halo))


def _milky_way(canvas: Canvas) -> None:
    cloud = brushes.levels(canvas.noise(3, octaves=6), 110, 200, 0.55)
    band = brushes.glow(canvas.size, (canvas.light[0], canvas.horizon * 0.3), max(canvas.size) * 0.75, 1.2)
    canvas.image = brushes.lit(canvas.image, canvas.palette.accents[1], ImageChops.multiply(cloud, band))


def light(canvas: Canvas) -> None:
    palette, (x, y), unit = canvas.palette, canvas.light, canvas.unit
    radius = unit * canvas.rng.uniform(0.045, 0.085)
    warm = mixed(palette.light, palette.sky[-1], 0.5)
    canvas.image = brushes.lit(canvas.image, warm, brushes.glow(canvas.size, (x, y), unit * 0.85, 2.6, 0.55))
    canvas.image = brushes.lit(canvas.image, palette.light, brushes.glow(canvas.size, (x, y), radius * 3.6, 2.2, 0.7))

    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        draw.ellipse([(v * scale) for v in (x - radius, y - radius, x + radius, y + radius)], fill=255)

    disc = brushes.shape(canvas.size, paint)
    canvas.image.paste(palette.light, mask=disc)
    if palette.night:
        seas = ImageChops.multiply(disc, brushes.levels(canvas.noise(26, octaves=2), 120, 230, 0.4))
        canvas.image.paste(mixed(palette.light, palette.sky[2], 0.5), mask=seas)


def clouds(canvas: Canvas) -> None:
    palette, horizon = canvas.palette, canvas.horizon / canvas.height
    density = canvas.rng.uniform(0.35, 0.8) * (0.45 if palette.night else 1.0)
    cover = brushes.levels(canvas.noise(5, octaves=6, stretched=3.2), 118, 205, density)
    height = brushes.fade(canvas.size, lambda y: math.sin(math.pi * min(1.0, y / horizon)) ** 0.7 if y < horizon else 0)
    cover = ImageChops.multiply(cover, height)
    shadow = ImageChops.offset(cover, 0, round(canvas.unit * 0.012))
    canvas.image.paste(mixed(palette.sky[1], palette.far, 0.35), mask=shadow.point(lambda level: level * 0.45))
    canvas.image.paste(mixed(palette.light, palette.sky[-1], 0.25), mask=cover)


def ridge(canvas: Canvas, depth: float) -> None:
    """`depth` 0 is the farthest and palest, 1 the nearest and darkest."""
    palette, rng, height = canvas.palette, canvas.rng, canvas.height
    smooth = bool(canvas.words & DRY_WORDS)
    rough = rng.uniform(0.34, 0.4) if smooth else rng.uniform(0.5, 0.57) - 0.06 * depth
    reach = height * (0.16 - 0.05 * depth) * (0.55 if smooth else 1.0)
    base = canvas.horizon + (height * 0.94 - canvas.horizon) * depth - reach * 0.25
    outline = [base - reach * y for y in brushes.skyline(rng, 260, rough)]
    mask = brushes.below(canvas.size, outline)

    colour = mixed(palette.far, palette.near, depth**0.85)
    haze = mixed(colour, palette.sky[-1], 0.62 * (1 - depth * 0.75))
    top, bottom = max(0, int(min(outline))), min(height, int(max(outline) + height * 0.16))
    slope = Image.new("RGB", canvas.size, haze)
    slope.paste(brushes.vertical_gradient((canvas.width, max(2, bottom - top)), (colour, haze)), (0, top))
    relief = brushes.levels(canvas.noise(14, octaves=5, stretched=0.8), 110, 215, 0.2)
    slope.paste(mixed(colour, (0, 0, 0), 0.35), mask=relief)
    canvas.image.paste(slope, mask=mask)
    _rim(canvas, mask, depth)


def _rim(canvas: Canvas, mask: Image.Image, depth: float) -> None:
    """Light along the edge that faces the sun or the moon."""
    thickness = max(1, round(canvas.unit * 0.0025))
    edge = ImageChops.subtract(mask, ImageChops.offset(mask, 0, thickness))
    near_light = brushes.glow(canvas.size, canvas.light, canvas.unit * 0.8, 1.4, 0.5 * (1 - 0.4 * depth))
    canvas.image = brushes.lit(canvas.image, canvas.palette.light, ImageChops.multiply(edge, near_light))


def water(canvas: Canvas) -> None:
    """The upper picture mirrored below a shoreline, rippled row by row, with the light's path on it."""
    shore = round(canvas.horizon + (canvas.height - canvas.horizon) * 0.42)
    deep_px = canvas.height - shore
    above = canvas.image.crop((0, max(0, shore - deep_px * 2), canvas.width, shore))
    mirror = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((canvas.width, deep_px), Image.Resampling.BILINEAR)
    mirror = mirror.filter(ImageFilter.BoxBlur(canvas.unit * 0.003))
    surface = rippled(canvas, mirror)
    tint = brushes.vertical_gradient(surface.size, (canvas.palette.sky[-2], canvas.palette.near))
    canvas.image.paste(Image.blend(surface, tint, 0.3), (0, shore))
    _glitter(canvas, shore)


def rippled(canvas: Canvas, mirror: Image.Image, strength: float = 1.0) -> Image.Image:
    """Each row moved aside a little, more in the foreground."""
    surface = mirror.copy()
    for row in range(mirror.height):
        near = row / mirror.height
        sway = math.sin(row * 60 / canvas.unit / (0.25 + near) * 6) * near
        surface.paste(mirror.crop((0, row, mirror.width, row + 1)), (round(sway * strength * canvas.unit * 0.009), row))
    return surface


def _glitter(canvas: Canvas, shore: int) -> None:
    rng, unit, colour = canvas.rng, canvas.unit, canvas.palette.light
    mask = Image.new("L", canvas.size)
    draw = ImageDraw.Draw(mask)
    for _ in range(260):
        near = rng.random() ** 1.4
        y = shore + near * (canvas.height - shore)
        x = canvas.light[0] + rng.gauss(0, 0.035 + 0.05 * near) * unit
        half, thick = unit * (0.004 + 0.022 * near) * rng.random(), unit * (0.0006 + 0.0022 * near)
        draw.ellipse((x - half, y - thick, x + half, y + thick), fill=rng.randint(60, 190))
    canvas.image = brushes.lit(canvas.image, colour, mask.filter(ImageFilter.GaussianBlur(unit * 0.0008)))


def trees(canvas: Canvas) -> None:
    """Spruces from both sides, tall at the frame and low towards the light."""
    rng, unit, width, height = canvas.rng, canvas.unit, canvas.width, canvas.height
    ground = [height * (0.955 - 0.035 * y) for y in brushes.skyline(rng, 60, 0.45)]
    mask = brushes.below(canvas.size, ground)
    spruces = []
    for _ in range(round(46 * width / unit)):
        x = rng.random() * width
        away = min(1.0, abs(x - canvas.light[0]) / (0.75 * width))
        tall = unit * (0.035 + 0.2 * away**1.6) * rng.uniform(0.55, 1.15)
        spruces.append((x, ground[min(len(ground) - 1, int(x / width * len(ground)))] + unit * 0.02, tall))

    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        for x, foot, tall in spruces:
            draw.polygon([(px * scale, py * scale) for px, py in _spruce(x, foot, tall)], fill=255)

    mask = ImageChops.lighter(mask, brushes.shape(canvas.size, paint))
    canvas.image.paste(mixed(canvas.palette.near, (0, 0, 0), 0.45), mask=mask)
    _rim(canvas, mask, 1.0)


def _spruce(x: float, foot: float, tall: float) -> list[brushes.Point]:
    tiers = 9
    left, right = [], []
    for tier in range(tiers):
        down = (tier + 1) / tiers
        reach = tall * 0.17 * down * (0.9 + 0.2 * math.sin(x * 7 + tier * 2.4))
        y = foot - tall + tall * 0.93 * down
        left += [(x - reach, y), (x - reach * 0.45, y - tall * 0.012)]
        right += [(x + reach, y), (x + reach * 0.45, y - tall * 0.012)]
    return [(x, foot - tall), *right, (x + tall * 0.02, foot), (x - tall * 0.02, foot), *reversed(left)]


def birds(canvas: Canvas) -> None:
    if canvas.palette.night:
        _fireflies(canvas)
        return
    rng, unit = canvas.rng, canvas.unit
    x, y = canvas.light[0] + unit * rng.uniform(-0.2, 0.2), canvas.light[1] - unit * rng.uniform(0.05, 0.16)
    flock = [
        (x + rng.gauss(0, 0.07) * unit, y + rng.gauss(0, 0.03) * unit, rng.uniform(0.006, 0.014)) for _ in range(9)
    ]

    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        for bird_x, bird_y, span in flock:
            wing, rise = span * unit, span * unit * 0.45
            line = [(-wing, -rise), (-wing * 0.4, -rise * 0.9), (0.0, 0.0), (wing * 0.4, -rise * 0.9), (wing, -rise)]
            points = [((bird_x + dx) * scale, (bird_y + dy) * scale) for dx, dy in line]
            draw.line(points, fill=235, width=max(1, round(unit * 0.0014 * scale)), joint="curve")

    dark: Colour = mixed(canvas.palette.near, canvas.palette.far, 0.2)
    canvas.image.paste(dark, mask=brushes.shape(canvas.size, paint))


def _fireflies(canvas: Canvas) -> None:
    rng, unit = canvas.rng, canvas.unit
    for _ in range(16):
        spot = (rng.random() * canvas.width, canvas.height * rng.uniform(0.78, 0.97))
        reach = unit * rng.uniform(0.008, 0.024)
        left, top, side = round(spot[0] - reach), round(spot[1] - reach), round(reach * 2)
        patch = canvas.image.crop((left, top, left + side, top + side))
        mask = brushes.glow(patch.size, (reach, reach), reach, 3.0, 0.9)
        canvas.image.paste(brushes.lit(patch, canvas.palette.accents[2], mask), (left, top))

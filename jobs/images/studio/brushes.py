"""Ways to put paint on a picture: gradients, glows, noise, silhouettes. Sizes in pixels; masks are "L", 0 to 255."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

from PIL import Image, ImageChops, ImageDraw

from jobs.images.studio.palette import Colour, mixed

Size = tuple[int, int]
Point = tuple[float, float]

SHARPER = 2  # shapes are drawn this much larger and reduced: Pillow draws without anti-aliasing


def vertical_gradient(size: Size, stops: Sequence[Colour]) -> Image.Image:
    """`stops` evenly spaced from top to bottom, eased so that no stop shows as a line."""
    rows = 256
    strip = Image.new("RGB", (1, rows))
    for row in range(rows):
        at = row / (rows - 1) * (len(stops) - 1)
        index = min(int(at), len(stops) - 2)
        share = at - index
        strip.putpixel((0, row), mixed(stops[index], stops[index + 1], share * share * (3 - 2 * share)))
    return strip.resize(size, Image.Resampling.BICUBIC)


def fade(size: Size, opacity: Callable[[float], float]) -> Image.Image:
    """A mask by height: `opacity` of 0 (top) to 1 (bottom) is 0 to 1."""
    rows = 256
    strip = Image.new("L", (1, rows))
    for row in range(rows):
        strip.putpixel((0, row), round(255 * min(1.0, max(0.0, opacity(row / (rows - 1))))))
    return strip.resize(size, Image.Resampling.BICUBIC)


def noise(size: Size, rng: Random, cells: tuple[int, int], octaves: int = 4) -> Image.Image:
    """Cloudy noise as a mask, mean about 128: `cells` blots across and down, then finer and fainter ones."""
    mask = Image.new("L", size, 128)
    share = 0.5
    for octave in range(octaves):
        across, down = cells[0] << octave, cells[1] << octave
        blots = Image.frombytes("L", (across, down), rng.randbytes(across * down))
        grown = blots.resize(size, Image.Resampling.BICUBIC)
        mask = grown if octave == 0 else Image.blend(mask, grown, share)
        share *= 0.72
    return mask


def levels(mask: Image.Image, black: float, white: float, strength: float = 1.0) -> Image.Image:
    """Stretch so that `black` becomes 0 and `white` becomes `strength` × 255."""
    return mask.point(lambda level: round(255 * strength * min(1.0, max(0.0, (level - black) / (white - black)))))


def glow(size: Size, centre: Point, radius_px: float, falloff: float = 2.0, strength: float = 1.0) -> Image.Image:
    """A round mask: `strength` at the centre, 0 at the radius; a higher falloff keeps the light closer."""
    table = [round(255 * strength * (1 - min(1.0, level / 255)) ** falloff) for level in range(256)]
    side_px = max(2, round(radius_px * 2))
    spot = Image.radial_gradient("L").point(table).resize((side_px, side_px), Image.Resampling.BICUBIC)
    mask = Image.new("L", size)
    mask.paste(spot, (round(centre[0] - radius_px), round(centre[1] - radius_px)))
    return mask


def shape(size: Size, paint: Callable[[ImageDraw.ImageDraw, int], None]) -> Image.Image:
    """A mask with smooth edges: `paint` draws in white, with its coordinates multiplied by the number it is given."""
    large = Image.new("L", (size[0] * SHARPER, size[1] * SHARPER))
    paint(ImageDraw.Draw(large), SHARPER)
    return large.reduce(SHARPER)


def below(size: Size, heights_px: Sequence[float]) -> Image.Image:
    """The mask of everything under a line of `heights_px` (y of evenly spaced points from left to right)."""

    def paint(draw: ImageDraw.ImageDraw, scale: int) -> None:
        step = size[0] * scale / (len(heights_px) - 1)
        line = [(index * step, y * scale) for index, y in enumerate(heights_px)]
        draw.polygon([*line, (size[0] * scale, size[1] * scale), (0, size[1] * scale)], fill=255)

    return shape(size, paint)


def skyline(rng: Random, points: int, roughness: float) -> list[float]:
    """A mountain's outline, about -1 to 1, by midpoint displacement: 0.3 gives dunes, 0.6 rock."""
    line = [rng.uniform(-0.6, 0.6) for _ in range(4)]
    spread = 0.5
    while len(line) < points:
        between = [(a + b) / 2 + rng.uniform(-spread, spread) for a, b in pairwise(line)]
        line = [y for pair in zip(line, between, strict=False) for y in pair] + [line[-1]]
        spread *= roughness
    return line


def lit(image: Image.Image, colour: Colour, mask: Image.Image) -> Image.Image:
    """`colour` added as light where the mask is: it brightens and never darkens."""
    light = Image.composite(Image.new("RGB", image.size, colour), Image.new("RGB", image.size), mask)
    return ImageChops.screen(image, light)


def silk(size: Size, lines: Sequence[tuple[Sequence[Point], Colour, int]], width_px: float = 1.0) -> Image.Image:
    """Thin lines on black, each (points, colour, opacity 0 to 255), for `ImageChops.screen`."""
    large = Image.new("RGB", (size[0] * SHARPER, size[1] * SHARPER))
    draw = ImageDraw.Draw(large, "RGBA")
    for points, colour, opacity in lines:
        scaled = [(x * SHARPER, y * SHARPER) for x, y in points]
        draw.line(scaled, fill=(*colour, opacity), width=max(1, round(width_px * SHARPER)))
    return large.reduce(SHARPER)

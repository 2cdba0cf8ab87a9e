"""A sketch -> a picture, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from random import Random

import msgspec
from PIL import Image, ImageChops

from jobs.images.studio import city, landscape, ribbons, waves
from jobs.images.studio.canvas import Canvas, Layer
from jobs.images.studio.palette import choose_palette
from jobs.images.studio.sketch import Sketch

PREVIEW_SIDE_PX = 256
PREVIEW_QUALITY = 72  # JPEG: five times as fast as WebP, and it is looked at for a tenth of a second
GRAIN_TILE_PX = 256

COMPOSITIONS: tuple[tuple[frozenset[str], Callable[[Canvas], list[Layer]]], ...] = (
    (landscape.WORDS, landscape.layers),
    (city.WORDS, city.layers),
    (ribbons.WORDS, ribbons.layers),
    (waves.WORDS, waves.layers),
)


class Step(msgspec.Struct, frozen=True):
    message: str
    number: int
    total: int
    preview: bytes


class Painting:
    def __init__(self, canvas: Canvas, layers: list[Layer]) -> None:
        self._canvas = canvas
        self._layers = layers

    def steps(self) -> Iterator[Step]:
        """Paints one layer at each turn."""
        for number, (message, paint_layer) in enumerate(self._layers, start=1):
            paint_layer(self._canvas)
            yield Step(message, number, len(self._layers), _preview(self._canvas.image))

    def png(self) -> bytes:
        out = BytesIO()
        self._canvas.image.save(out, "PNG", compress_level=4)
        return out.getvalue()


def paint(sketch: Sketch) -> Painting:
    rng = Random(f"{sketch.seed} {sketch.prompt}")  # noqa: S311  # a picture, not a secret
    palette = choose_palette(sketch.words, rng)
    compose = _choose_composition(sketch.words, rng)
    canvas = Canvas(sketch, palette, rng)
    return Painting(canvas, [*compose(canvas), ("Grain and frame", finish)])


def finish(canvas: Canvas) -> None:
    """Corners a little darker, and film grain, which also hides the bands of 8-bit gradients."""
    corners = Image.radial_gradient("L").point([round(max(0, level - 120) * 0.62) for level in range(256)])
    canvas.image.paste((8, 6, 14), mask=corners.resize(canvas.size, Image.Resampling.BICUBIC))
    tile = Image.frombytes("L", (GRAIN_TILE_PX, GRAIN_TILE_PX), canvas.rng.randbytes(GRAIN_TILE_PX**2))
    grain = Image.new("L", canvas.size)
    for top in range(0, canvas.height, GRAIN_TILE_PX):
        for left in range(0, canvas.width, GRAIN_TILE_PX):
            grain.paste(tile, (left, top))
    soft = grain.point([round(level * 9 / 255) for level in range(256)])
    canvas.image = ImageChops.add(canvas.image, Image.merge("RGB", (soft, soft, soft)), offset=-4)


def _choose_composition(words: frozenset[str], rng: Random) -> Callable[[Canvas], list[Layer]]:
    drawn = rng.sample(COMPOSITIONS, len(COMPOSITIONS))
    return max(drawn, key=lambda row: len(row[0] & words))[1]


def _preview(image: Image.Image) -> bytes:
    small = image.reduce(max(1, max(image.size) // (2 * PREVIEW_SIDE_PX)))
    small.thumbnail((PREVIEW_SIDE_PX, PREVIEW_SIDE_PX))
    out = BytesIO()
    small.save(out, "JPEG", quality=PREVIEW_QUALITY)
    return out.getvalue()

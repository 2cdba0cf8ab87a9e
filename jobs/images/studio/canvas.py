"""What the layers of a composition share while one picture is painted."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from PIL import Image

from jobs.images.studio.brushes import Size, noise
from jobs.images.studio.palette import Palette
from jobs.images.studio.sketch import Sketch


class Canvas:
    """The picture so far, the colours, and where its light stands. Everything random comes from `rng`, and nothing
    random depends on the size: a seed gives the same composition small and large."""

    def __init__(self, sketch: Sketch, palette: Palette, rng: Random) -> None:
        self.size: Size = (sketch.width_px, sketch.height_px)
        self.width, self.height = self.size
        self.unit = min(self.size)
        """Pixels of the shorter side: what round things are measured by."""
        self.words = sketch.words
        self.palette = palette
        self.rng = rng
        self.image = Image.new("RGB", self.size, palette.sky[-1])
        self.horizon = self.height * rng.uniform(0.56, 0.66)
        self.light = (self.width * rng.uniform(0.24, 0.76), self.horizon - self.height * rng.uniform(0.12, 0.34))

    def noise(self, cells: int, octaves: int = 4, stretched: float = 1.0) -> Image.Image:
        """`cells` blots along the shorter side; `stretched` makes them that much wider than high."""
        across = max(2, round(cells * self.width / self.unit / stretched))
        down = max(2, round(cells * self.height / self.unit))
        return noise(self.size, self.rng, (across, down), octaves)


Layer = tuple[str, Callable[[Canvas], None]]
"""What a person reads while it is painted, and the painting of it."""

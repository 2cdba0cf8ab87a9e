from __future__ import annotations

import pytest
from PIL import Image

from jobs.images.blur import blur_of


def slope(size: tuple[int, int], alpha: int | None = None) -> Image.Image:
    """Colours that go different ways; with alpha, a corner of it."""
    width, height = size
    image = Image.new("RGBA", size)
    for y in range(height):
        for x in range(width):
            shade = 255 if alpha is None or x * x + 7 * y < 150 else alpha
            image.putpixel((x, y), ((x * x + 3 * x * y) % 256, (y * y * 9 + x) % 256, (200 - 5 * x * y) % 256, shade))
    return image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        # What the format's own JavaScript makes of the same pixels.
        (slope((24, 16)), "n+cFLYpEhndQeJmVhwmHezNQEvSn"),
        (slope((16, 24)), "XfcFJQhRZmWYCYdZh3UYlyFUEHL1"),
        (slope((20, 24), alpha=90), "HeeFHAY5IlVlCHVzIzEEAVj+aLhpd3aIBw=="),
    ],
)
def test_hash_is_what_other_implementations_make(image: Image.Image, expected: str) -> None:
    """JB38"""
    assert blur_of(image) == expected


@pytest.mark.parametrize("size", [(1, 1), (2000, 1), (1, 2000), (300, 200)])
def test_it_is_small_whatever_the_picture(size: tuple[int, int]) -> None:
    assert 0 < len(blur_of(Image.effect_noise(size, 90).convert("RGBA"))) <= 36

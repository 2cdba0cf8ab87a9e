"""JB37: a child stays below 512 MiB with the largest picture that each format may bring."""

from __future__ import annotations

import random
import re
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from jobs.errors import ImageInvalid
from jobs.images.decode import Limits, inspect
from jobs.images.sandbox import PictureWorkers

pytestmark = pytest.mark.anyio

MOST_BYTES = 512 * 1024**2


def noisy(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    grain = Image.frombytes("RGB", (100, 100), random.Random(7).randbytes(30_000))
    return grain.resize(size, Image.Resampling.NEAREST).convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def peak_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


LARGEST = {
    "png": lambda: encoded(noisy((8000, 8000), "RGBA"), "PNG", compress_level=1),
    "palette": lambda: encoded(noisy((8000, 8000), "P"), "PNG", compress_level=1),
    "turned": lambda: encoded(noisy((8000, 8000)), "PNG", compress_level=1, exif=turned()),
    "gif": lambda: encoded(noisy((8000, 8000), "P"), "GIF"),
    "progressive": lambda: encoded(noisy((8000, 8000)), "JPEG", progressive=True, subsampling=0, quality=60),
    "webp": lambda: encoded(noisy((5100, 5100), "RGBA"), "WEBP", method=0, quality=30),
    "avif": lambda: encoded(noisy((6500, 6500)), "AVIF", speed=10, quality=30),
}


SAMPLE = ("png", "webp", "avif")
"""The most memory of what is read in rows, and those that have to be measured by their headers."""
SOAK = pytest.mark.soak


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and only Linux keeps a limit on memory")
@pytest.mark.parametrize("name", [name if name in SAMPLE else pytest.param(name, marks=SOAK) for name in LARGEST])
async def test_largest_picture_of_each_kind_fits(name: str) -> None:
    """JB37"""
    content = LARGEST[name]()
    async with PictureWorkers() as pictures:
        await pictures.inspect(content)
        variants = await pictures.variants(content, "李明 김", generated=True)  # its fonts are the largest
        [pid] = pictures.pids

        assert len(variants) == 3
        print(f"{name}: {peak_bytes(pid) / 2**20:.0f} MiB")
        assert peak_bytes(pid) < MOST_BYTES


@pytest.mark.parametrize(
    ("kind", "size", "mode"),
    [("WEBP", (5300, 5300), "RGB"), ("AVIF", (6700, 6700), "L"), ("JPEG", (7900, 7900), "CMYK")],
)
def test_picture_that_would_not_fit_is_refused_before_it_is_decoded(
    kind: str, size: tuple[int, int], mode: str
) -> None:
    """JB37"""
    fast = {"WEBP": {"method": 0}, "AVIF": {"speed": 10}}.get(kind, {})
    content = encoded(Image.new(mode, size), kind, **fast)

    with pytest.raises(ImageInvalid, match="too much memory to decode as") as refusal:
        inspect(content, Limits())
    assert refusal.value.code == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_is_measured_by_its_header(lossless: bool, mode: str) -> None:
    content = encoded(noisy((700, 400), mode), "WEBP", lossless=lossless)

    with pytest.raises(ImageInvalid, match="700 × 400; at most 1,000 pixels"):
        inspect(content, Limits(max_pixels=1_000))

"""JB38: whatever a picture's colours are written in, they come out as they were meant, in sRGB."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat

from tests.jobs.images.colours import (
    ADOBE_RGB,
    DISPLAY_P3,
    Primaries,
    Triple,
    difference,
    gray_profile,
    in_srgb,
    lab_difference,
    profile,
)
from tests.jobs.images.conftest import Encode
from tests.jobs.images.test_variants import made, shown

SPACES = {"Display P3": (DISPLAY_P3, 2.2), "Adobe RGB": (ADOBE_RGB, 2.19921875)}
MOST_DIFFERENCE = 2.0  # ΔE2000: the least that an eye sees beside each other is about 1


def middle(content: bytes, kind: str = "display") -> tuple[float, float, float]:
    """The mean, as WebP is lossy."""
    image = shown(made(content)[kind]).convert("RGB")
    red, green, blue = ImageStat.Stat(image.crop((8, 8, 56, 56))).mean
    return red, green, blue


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_measure_itself(one: Triple, other: Triple, apart: float) -> None:
    """The formula's own test data (Sharma, Wu, Dalal 2005, table 1)."""
    assert lab_difference(one, other) == pytest.approx(apart, abs=0.0001)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("colour", [(255, 0, 0), (234, 51, 35), (200, 60, 50), (120, 200, 90), (20, 40, 200)], ids=str)
@pytest.mark.parametrize(("primaries", "gamma"), SPACES.values(), ids=SPACES)
def test_wide_colours_stay_what_they_are(
    encode: Encode, primaries: Primaries, gamma: float, colour: tuple[int, int, int], kind: str
) -> None:
    """JB38"""
    lossless: dict[str, dict[str, Any]] = {
        "WEBP": {"lossless": True},
        "JPEG": {"quality": 100, "subsampling": 0},
        "AVIF": {"quality": 100},
    }
    content = encode(
        Image.new("RGB", (64, 64), colour), kind, icc_profile=profile(primaries, gamma), **lossless.get(kind, {})
    )

    assert difference(middle(content), in_srgb(colour, primaries, gamma)) <= MOST_DIFFERENCE


def test_colours_without_a_profile_are_srgb_already(encode: Encode) -> None:
    content = encode(Image.new("RGB", (64, 64), (234, 51, 35)))

    assert difference(middle(content), (234, 51, 35)) <= MOST_DIFFERENCE


@pytest.mark.parametrize(("gamma", "level", "shown_as"), [(1.0, 55, 128), (2.2, 128, 128), (1.0, 128, 188)])
def test_gray_with_a_profile_of_its_own(encode: Encode, gamma: float, level: int, shown_as: int) -> None:
    """JB38"""
    content = encode(Image.new("L", (64, 64), level), icc_profile=gray_profile(gamma))

    assert middle(content) == pytest.approx((shown_as,) * 3, abs=2.5)


def test_transparent_gray_with_a_profile_of_its_own(encode: Encode) -> None:
    content = encode(Image.new("LA", (64, 64), (55, 128)), icc_profile=gray_profile(1.0))

    display = shown(made(content)["display"])

    assert display.getpixel((32, 32)) == pytest.approx((128, 128, 128, 128), abs=4)


@pytest.mark.parametrize(
    "broken",
    [
        b"not a profile",
        b"",
        profile(DISPLAY_P3, 2.2)[:200],
        bytes(128),
        gray_profile(2.2),
        profile(DISPLAY_P3, 2.2)[:132],
    ],
    ids=["text", "empty", "cut", "zeros", "for gray", "no tags"],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK"])
def test_profile_that_is_broken_or_for_other_channels_counts_as_none(encode: Encode, mode: str, broken: bytes) -> None:
    """JB38"""
    image = Image.new("RGB", (64, 64), (200, 60, 50)).convert(mode)
    content = encode(image, "JPEG" if mode == "CMYK" else "PNG", icc_profile=broken)

    assert difference(middle(content), (200, 60, 50)) <= MOST_DIFFERENCE


@pytest.mark.parametrize(
    ("ink", "colour"),
    [
        ((0, 255, 255, 0), (255, 0, 0)),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0,) * 4, (255,) * 3),
    ],
    ids=str,
)
def test_inks_as_adobe_writes_them(
    encode: Encode, ink: tuple[int, int, int, int], colour: tuple[int, int, int]
) -> None:
    """JB38: inverted, and marked so."""
    content = encode(Image.new("CMYK", (64, 64), ink), "JPEG", quality=95)

    assert b"Adobe" in content
    assert middle(content) == pytest.approx(colour, abs=4)


def test_inks_of_a_photograph_look_like_it(corpus: Path) -> None:
    """White paper behind it, and skin warmer than it is blue: inverted, neither would be so."""
    image = shown(made((corpus / "pil_sample_cmyk.jpg").read_bytes())["display"])

    red, _, blue = ImageStat.Stat(image).mean
    assert image.mode == "RGB"
    assert red > blue


@pytest.mark.parametrize("level", [0, 256, 32896, 65535])
def test_sixteen_bits_become_eight(encode: Encode, level: int) -> None:
    """JB38: scaled, not cut."""
    content = encode(Image.new("I;16", (64, 64), level))

    assert middle(content) == pytest.approx((level / 257,) * 3, abs=1.5)


@pytest.mark.parametrize("kind", ["thumbnail", "icon", "display"])
@pytest.mark.parametrize("form", ["palette", "palette of alphas", "one colour", "GIF", "one gray"])
def test_what_a_palette_or_one_colour_makes_transparent_is(encode: Encode, form: str, kind: str) -> None:
    """JB38"""
    image = Image.new("RGB", (400, 400), (255, 255, 255))
    image.paste((200, 60, 50), (200, 0, 400, 400))
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    white = palette.getpixel((10, 10))
    content = {
        "palette": lambda: encode(palette, transparency=white),
        "palette of alphas": lambda: encode(palette, transparency=bytes(0 if n == white else 255 for n in range(2))),
        "one colour": lambda: encode(image, transparency=(255, 255, 255)),
        "GIF": lambda: encode(palette, "GIF", transparency=white),
        "one gray": lambda: encode(image.convert("L"), transparency=255),
    }[form]()

    picture = shown(made(content)[kind])
    alpha = picture.getchannel("A")

    assert alpha.getpixel((picture.width // 4, picture.height // 2)) == 0
    assert alpha.getpixel((picture.width * 3 // 4, picture.height // 2)) == 255


def test_edges_of_what_is_transparent_have_no_halo(encode: Encode) -> None:
    """The colour under what cannot be seen does not bleed into what can."""
    image = Image.new("RGBA", (3000, 3000), (0, 255, 0, 0))
    image.paste((200, 60, 50, 255), (1001, 0, 3000, 3000))

    out = BytesIO()
    shown(made(encode(image))["thumbnail"]).save(out, "PNG")
    picture = Image.open(out)

    seen = [pixel for x in range(95, 106) if (pixel := picture.getpixel((x, 150))) and pixel[3] > 40]  # type: ignore[index]  # RGBA
    assert seen
    assert all(pixel[0] > pixel[1] + 60 for pixel in seen)  # type: ignore[index]  # RGBA

"""JB38: a picture is shown the way up it was taken, whatever it is stored as, and says nothing about who took it."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat
from PIL.PngImagePlugin import PngInfo

from jobs.images.decode import Limits, inspect
from tests.jobs.images.conftest import Encode
from tests.jobs.images.test_variants import made, shown

ORIENTATION = 0x0112
# The Image.Transpose that each orientation takes back.
STORED = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    """Sixteen by eight colours, none twice: no turn of it looks like another."""
    small = Image.frombytes("RGB", (16, 8), random.Random(3).randbytes(16 * 8 * 3))
    return small.resize((640, 320), Image.Resampling.NEAREST)


def stored_as(scene: Image.Image, turn: int) -> Image.Image:
    return scene.transpose(Image.Transpose(STORED[turn])) if turn > 1 else scene


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", LOSSLESS)
def test_every_orientation_of_every_format_comes_out_upright(
    encode: Encode, scene: Image.Image, kind: str, turn: int
) -> None:
    """JB38; Pillow writes an AVIF's as `irot` and `imir`, a PNG's as `eXIf`."""
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    content = encode(stored_as(scene, turn), kind, exif=exif, **LOSSLESS[kind])

    variants, facts = made(content), inspect(content, Limits())

    assert (facts.width_px, facts.height_px) == scene.size
    display = shown(variants["display"])
    assert display.size == scene.size
    assert differs(display, scene) < 6
    square = scene.crop((160, 0, 480, 320))
    assert differs(shown(variants["thumbnail"]), square.resize((300, 300))) < 12
    assert differs(shown(variants["icon"]), square.resize((128, 128))) < 12


def differs(one: Image.Image, other: Image.Image) -> float:
    """In the mean, of 255, in the channel that differs most."""
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other)).mean)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_turned_pictures_are_the_same_to_the_last_bit(encode: Encode, scene: Image.Image, kind: str) -> None:
    seen = set()
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = turn
        variants = made(encode(stored_as(scene, turn), kind, exif=exif, **LOSSLESS[kind]))
        seen.add(shown(variants["display"]).convert("RGB").tobytes())

    assert len(seen) == 1


@pytest.mark.parametrize("turn", [0, 9, 255, 65535])
def test_orientation_that_there_is_not_counts_as_none(encode: Encode, scene: Image.Image, turn: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = turn

    assert shown(made(encode(scene, "PNG", exif=exif))["display"]).size == scene.size


@pytest.mark.parametrize("generated", [True, False])
@pytest.mark.parametrize("kind", LOSSLESS)
def test_nothing_of_the_senders_is_in_the_sizes(encode: Encode, scene: Image.Image, kind: str, generated: bool) -> None:
    """JB38: EXIF, place, XMP, comments, profile; only the mark of a model, on what a model made."""
    exif = Image.Exif()
    exif[0x010F], exif[0x013B] = "SecretPhone", "SecretPerson"
    exif.get_ifd(0x8825)[29] = "SecretPlace"
    more: dict[str, Any] = {"exif": exif, "xmp": b"<x:xmpmeta>SecretXmp trainedAlgorithmicMedia</x:xmpmeta>"}
    if kind == "PNG":
        more = {"exif": exif, "pnginfo": PngInfo()}
        more["pnginfo"].add_text("Comment", "SecretComment")
        more["pnginfo"].add_itxt("XML:com.adobe.xmp", "SecretXmp trainedAlgorithmicMedia")
    if kind == "JPEG":
        more["comment"] = "SecretComment"
    content = encode(scene, kind, icc_profile=b"SecretProfile", **more)
    assert content.count(b"Secret") >= 4

    for variant in made(content, watermark="Ada", generated=generated).values():
        assert b"Secret" not in variant.content
        assert (b"trainedAlgorithmicMedia" in variant.content) is generated
        assert set(riff_chunks(variant.content)) <= {b"VP8X", b"VP8 ", b"VP8L", b"ALPH"} | (
            {b"XMP "} if generated else set()
        )


def riff_chunks(content: bytes) -> list[bytes]:
    """The names of a WebP's chunks (RFC 9649)."""
    names, at = [], 12
    while at + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, at)
        names.append(name)
        at += 8 + length + length % 2
    return names

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jobs.errors import ImageInvalid
from jobs.images.decode import Limits, inspect
from tests.jobs.images.conftest import Encode, corpus_entries

LIMITS = Limits()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with_header(width_px: int, height_px: int) -> bytes:
    """A PNG whose header says so and which has no pixels."""

    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "content_type", "extension"),
    [
        ("PNG", "image/png", "png"),
        ("JPEG", "image/jpeg", "jpg"),
        ("WEBP", "image/webp", "webp"),
        ("GIF", "image/gif", "gif"),
        ("AVIF", "image/avif", "avif"),
    ],
)
def test_the_bytes_decide_the_type(
    encode: Encode, photo: Image.Image, kind: str, content_type: str, extension: str
) -> None:
    facts = inspect(encode(photo, kind), LIMITS)

    assert (facts.content_type, facts.extension) == (content_type, extension)
    assert (facts.width_px, facts.height_px, facts.frames) == (400, 200, 1)
    assert len(facts.sha256) == 64


@pytest.mark.parametrize("entry", corpus_entries() or [{"file": "corpus"}], ids=lambda entry: entry["file"])
def test_corpus_picture_is_judged_as_its_manifest_says(corpus: Path, entry: dict[str, Any]) -> None:
    content = (corpus / entry["file"]).read_bytes()

    if entry["expect"] == "reject":
        with pytest.raises(ImageInvalid) as refusal:
            inspect(content, LIMITS)
        assert (refusal.value.code == "IMAGE_TOO_LARGE") == (entry.get("reason") == "bomb")
    else:
        facts = inspect(content, LIMITS)
        assert (facts.width_px, facts.height_px) == (entry["width"], entry["height"])


@pytest.mark.parametrize("turn", range(1, 9))
def test_size_is_as_shown(encode: Encode, photo: Image.Image, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn

    facts = inspect(encode(photo, "JPEG", exif=exif), LIMITS)

    assert (facts.width_px, facts.height_px) == ((200, 400) if turn >= 5 else (400, 200))


def test_broken_exif_does_not_spoil_a_sound_picture(encode: Encode, photo: Image.Image) -> None:
    content = encode(photo, "JPEG", exif=b"Exif\x00\x00not a TIFF header")

    assert inspect(content, LIMITS).width_px == 400


@pytest.mark.parametrize(("mode", "expected"), [("RGB", False), ("RGBA", True), ("LA", True), ("L", False)])
def test_alpha_is_told(encode: Encode, mode: str, expected: bool) -> None:
    assert inspect(encode(Image.new(mode, (8, 8))), LIMITS).has_alpha is expected


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_frames_of_an_animation_are_counted_and_limited(encode: Encode, kind: str) -> None:
    first, *others = (Image.new("RGB", (16, 16), (level, 0, 0)) for level in (0, 80, 160, 240))
    content = encode(first, kind, save_all=True, append_images=others, duration=50)

    assert inspect(content, LIMITS).frames == 4
    with pytest.raises(ImageInvalid, match="4 frames") as refusal:
        inspect(content, Limits(max_frames=3))
    assert refusal.value.code == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_truncated_picture_is_refused(encode: Encode, kind: str) -> None:
    noisy = Image.frombytes("RGB", (200, 200), random.Random(1).randbytes(120_000))
    content = encode(noisy, kind)

    with pytest.raises(ImageInvalid, match="damaged or cut short") as refusal:
        inspect(content[: len(content) * 3 // 4], LIMITS)
    assert refusal.value.code == "IMAGE_INVALID"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"%PDF-1.7", "Use PNG, JPEG"),
        (b"BM" + bytes(64), "Use PNG, JPEG"),
        (b"\x89PNG\r\n\x1a\n", "damaged or cut short"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_to_do(content: bytes, sentence: str) -> None:
    with pytest.raises(ImageInvalid, match=sentence) as refusal:
        inspect(content, LIMITS)

    assert refusal.value.code == "IMAGE_INVALID"


@pytest.mark.parametrize(
    ("size", "sentence"),
    [((16_385, 10), "a side may have"), ((9_000, 9_000), "pixels"), ((20_000, 20_000), "pixels")],
)
def test_bomb_is_refused_by_its_header(size: tuple[int, int], sentence: str) -> None:
    with pytest.raises(ImageInvalid, match=sentence) as refusal:
        inspect(png_with_header(*size), LIMITS)

    assert refusal.value.code == "IMAGE_TOO_LARGE"


def test_limit_may_be_above_pillows_own(encode: Encode) -> None:
    content = encode(Image.new("1", (10_000, 9_000)))

    assert inspect(content, Limits(max_pixels=100_000_000)).width_px == 10_000


def test_too_many_bytes_are_refused(encode: Encode, photo: Image.Image) -> None:
    with pytest.raises(ImageInvalid, match="MiB") as refusal:
        inspect(encode(photo), Limits(max_bytes=100))

    assert refusal.value.code == "IMAGE_TOO_LARGE"


def test_second_picture_in_a_phones_jpeg_is_no_animation(encode: Encode, photo: Image.Image) -> None:
    out = BytesIO()
    photo.save(out, "MPO", save_all=True, append_images=[photo.copy()])

    facts = inspect(out.getvalue(), LIMITS)

    assert (facts.content_type, facts.frames) == ("image/jpeg", 1)


def test_palette_picture_without_its_palette_is_refused(encode: Encode, photo: Image.Image) -> None:
    """Found by damage: Pillow only asserts that there is one."""
    content = encode(photo.quantize(4), "PNG")
    at = content.index(b"PLTE")
    (length,) = struct.unpack_from(">I", content, at - 4)
    cut = content[: at - 4] + content[at + 8 + length :]

    with pytest.raises(ImageInvalid, match="damaged or cut short"):
        inspect(cut, LIMITS)

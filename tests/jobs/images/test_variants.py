from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat

from jobs.errors import ImageInvalid
from jobs.images import variants
from jobs.images.decode import Limits
from jobs.images.variants import Variant, make_variants
from tests.jobs.images.conftest import Encode, corpus_entries

LIMITS = Limits()
RED, BLUE = (220, 30, 30), (30, 90, 200)


def made(content: bytes, watermark: str = "", generated: bool = False) -> dict[str, Variant]:
    return {variant.kind: variant for variant in make_variants(content, watermark, LIMITS, generated=generated)}


def shown(variant: Variant) -> Image.Image:
    image = Image.open(BytesIO(variant.content))
    image.load()
    assert (image.format, image.size) == ("WEBP", (variant.width_px, variant.height_px))
    return image


def assert_close(pixel: Any, expected: tuple[int, ...], tolerance: int = 12) -> None:
    assert all(abs(a - b) <= tolerance for a, b in zip(pixel, expected, strict=True)), (pixel, expected)


@pytest.mark.parametrize(
    ("size", "display"),
    [
        ((400, 200), (400, 200)),
        ((3000, 1500), (2048, 1024)),
        ((1500, 3000), (1024, 2048)),
        ((9000, 3), (2048, 1)),
        ((1, 1), (1, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_sizes(encode: Encode, size: tuple[int, int], display: tuple[int, int], kind: str) -> None:
    """JB38"""
    variants = made(encode(Image.new("RGB", size, BLUE), kind), watermark="Ada")

    assert shown(variants["thumbnail"]).size == (300, 300)
    assert shown(variants["icon"]).size == (128, 128)
    assert shown(variants["display"]).size == display
    assert {variant.content_type for variant in variants.values()} == {"image/webp"}


def test_table_may_say_jpeg_and_alpha_stays_webp(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    """JB38"""
    monkeypatch.setitem(variants.FORMATS, "display", variants.JPEG)
    exif = Image.Exif()
    exif[0x010F] = "A phone"

    opaque = made(encode(Image.new("RGB", (900, 600), BLUE), "JPEG", exif=exif), generated=True)
    clear = made(encode(Image.new("RGBA", (900, 600), (*BLUE, 90)), "PNG"), generated=True)

    display = opaque["display"]
    assert (display.content_type, opaque["icon"].content_type) == ("image/jpeg", "image/webp")
    image = Image.open(BytesIO(display.content))
    assert (image.format, image.size) == ("JPEG", (900, 600))
    assert_close(image.getpixel((450, 300)), BLUE)
    assert b"trainedAlgorithmicMedia" in display.content
    assert not image.getexif()
    assert {one.content_type for one in clear.values()} == {"image/webp"}


def test_large_jpeg_is_halved_by_its_decoder(encode: Encode) -> None:
    variants = made(encode(Image.new("RGB", (4000, 3000), BLUE), "JPEG"))

    assert shown(variants["display"]).size == (2000, 1500)


@pytest.mark.parametrize("entry", corpus_entries() or [{"file": "corpus"}], ids=lambda entry: entry["file"])
def test_corpus_picture_gives_all_three_or_none(corpus: Path, entry: dict[str, Any]) -> None:
    content = (corpus / entry["file"]).read_bytes()

    if entry["expect"] == "reject":
        with pytest.raises(ImageInvalid):
            made(content)
    else:
        variants = made(content, watermark="Ada")
        assert set(variants) == {"thumbnail", "icon", "display"}
        assert shown(variants["display"]).size == (entry["width"], entry["height"])


def test_corpus_photo_looks_the_same_from_each_orientation(corpus: Path) -> None:
    first, *others = (
        shown(made((corpus / f"Landscape_{turn}.jpg").read_bytes())["icon"]).convert("RGB").reduce(8)
        for turn in range(1, 9)
    )

    for other in others:
        difference = ImageStat.Stat(ImageChops.difference(first, other)).mean
        assert max(difference) < 6


def test_exif_and_position_are_gone(encode: Encode, photo: Image.Image) -> None:
    """JB38"""
    exif = Image.Exif()
    exif[0x010F] = "Phone"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 0.0)
    content = encode(photo, "JPEG", exif=exif)

    for variant in made(content).values():
        image = shown(variant)
        assert not image.getexif()
        assert b"Phone" not in variant.content
        assert "icc_profile" not in image.info


def test_profile_is_converted_to_srgb(corpus: Path, encode: Encode) -> None:
    """A green of Display P3 has no name in sRGB; without conversion its numbers would stay and look dull."""
    with Image.open(corpus / "gen-display-p3-progressive.jpg") as source:
        profile = source.info["icc_profile"]

    display = shown(made(encode(Image.new("RGB", (64, 64), (120, 200, 90)), icc_profile=profile))["display"])

    assert_close(display.getpixel((32, 32)), (90, 204, 70), tolerance=8)


def test_broken_profile_counts_as_none(encode: Encode, photo: Image.Image) -> None:
    image = shown(made(encode(photo, "PNG", icc_profile=b"not a profile"))["display"])

    assert_close(image.getpixel((50, 50)), RED)


def test_profile_for_other_channels_counts_as_none(encode: Encode) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    image = shown(made(encode(Image.new("L", (50, 50), 128), icc_profile=profile))["display"])

    assert_close(image.getpixel((25, 25)), (128, 128, 128))


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (Image.new("CMYK", (50, 50), (0, 255, 255, 0)), "JPEG", (255, 0, 0)),
        (Image.new("I;16", (50, 50), 32896), "PNG", (128, 128, 128)),
        (Image.new("1", (50, 50), 1), "PNG", (255, 255, 255)),
        (Image.new("RGB", (50, 50), RED).quantize(4), "GIF", RED),
        (Image.new("L", (50, 50), 77), "JPEG", (77, 77, 77)),
    ],
    ids=["cmyk", "16 bit", "1 bit", "palette", "gray"],
)
def test_modes_become_rgb(encode: Encode, image: Image.Image, kind: str, expected: tuple[int, ...]) -> None:
    content = encode(image, kind)
    display = shown(made(content)["display"])

    assert display.mode == "RGB"
    assert_close(display.getpixel((25, 25)), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_alpha_is_kept(encode: Encode, mode: str) -> None:
    """JB38"""
    image = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (0, 0, 200, 400))

    for variant in made(encode(image.convert(mode), "PNG"), watermark="Ada").values():
        picture = shown(variant)
        assert picture.mode == "RGBA"
        assert picture.getchannel("A").getpixel((picture.width * 3 // 4, picture.height // 4)) == 0
        assert picture.getchannel("A").getpixel((picture.width // 4, picture.height // 4)) == 255


def test_thumbnail_is_cut_from_the_middle(encode: Encode) -> None:
    image = Image.new("RGB", (900, 300), BLUE)
    image.paste(RED, (300, 0, 600, 300))

    thumbnail = shown(made(encode(image))["thumbnail"])

    for corner in ((3, 3), (296, 3), (3, 296), (296, 296)):
        assert_close(thumbnail.getpixel(corner), RED, tolerance=20)


def test_of_an_animation_the_first_frame_counts(encode: Encode) -> None:
    first, second = (Image.new("RGB", (50, 50), colour) for colour in (RED, BLUE))
    content = encode(first, "WEBP", save_all=True, append_images=[second], lossless=True)

    display = shown(made(content)["display"])

    assert getattr(display, "n_frames", 1) == 1
    assert_close(display.getpixel((25, 25)), RED)


def test_generated_picture_says_so_and_an_upload_does_not(encode: Encode, photo: Image.Image) -> None:
    """JB38"""
    content = encode(photo)

    assert all(b"trainedAlgorithmicMedia" in variant.content for variant in made(content, generated=True).values())
    assert not any(b"trainedAlgorithmicMedia" in variant.content for variant in made(content).values())


def test_only_the_display_size_is_watermarked(encode: Encode, photo: Image.Image) -> None:
    content = encode(photo)

    plain, marked = made(content), made(content, watermark="Ada")

    assert plain["thumbnail"].content == marked["thumbnail"].content
    assert plain["icon"].content == marked["icon"].content
    assert plain["display"].content != marked["display"].content

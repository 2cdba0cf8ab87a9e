"""One picture -> the three sizes the screens use. Runs in a child process only (`sandbox.py`).

All three come from one decode, each from the one before where that loses nothing. They are upright, sRGB, eight bits,
and carry no EXIF: a phone's GPS position stays in the original.
"""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import Any, Literal, NamedTuple

import msgspec
from PIL import Image, ImageCms

from jobs.images.blur import blur_of
from jobs.images.decode import Limits, opened, orientation
from jobs.images.watermark import stamp

VariantKind = Literal["thumbnail", "icon", "display"]

THUMBNAIL_SIDE_PX = 300
ICON_SIDE_PX = 128
DISPLAY_SIDE_PX = 2048
HALVED_SIDE_PX = 2000  # what the JPEG decoder may shrink to on the way: a 4000 px photo then needs no resize at all

BAND_PX = 256
REDUCING_GAP = 2.0  # what is more than twice too large is halved first, which costs a third and cannot be seen


class Format(NamedTuple):
    """How a size is written."""

    name: Literal["WEBP", "JPEG"]
    content_type: str
    options: dict[str, Any]


WEBP = Format("WEBP", "image/webp", {"quality": 82, "method": 2, "exif": b"", "icc_profile": b""})
# method 4 takes 1.7 times the time of all three for 3 % of the bytes (a 12 MP photo: 0.33 s against 0.19 s)
JPEG = Format("JPEG", "image/jpeg", {"quality": 85, "progressive": True, "optimize": True})
# WebP for all three: half of a JPEG's bytes at this quality, keeps alpha, and every browser since 2020 shows it.
FORMATS: dict[VariantKind, Format] = {"thumbnail": WEBP, "icon": WEBP, "display": WEBP}

# IPTC's mark for pictures made by a trained model, which the EU AI Act (Art. 50) wants machine-readable.
MADE_BY_MODEL = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    b' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>'
    b"</rdf:RDF></x:xmpmeta>"
)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Variant(msgspec.Struct, frozen=True):
    kind: VariantKind
    content: bytes
    width_px: int
    height_px: int
    content_type: str = WEBP.content_type
    blur: str | None = None
    """A ThumbHash (`blur.py`) to show until the variant is there."""


def make_variants(content: bytes, watermark: str, limits: Limits, *, generated: bool) -> list[Variant]:
    """All three, or ImageInvalid. `watermark` is the name written into the display size; empty: none."""
    display, square = _display_and_square(content, limits)
    side = (THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX)
    thumbnail = square.resize(side, Image.Resampling.LANCZOS, _middle(square.size), REDUCING_GAP)
    icon = thumbnail.resize((ICON_SIDE_PX, ICON_SIDE_PX), Image.Resampling.LANCZOS)
    small = display.resize(_within(display.size, THUMBNAIL_SIDE_PX), Image.Resampling.BOX, reducing_gap=1.0)
    square_blur, xmp = blur_of(icon), MADE_BY_MODEL if generated else b""
    return [
        _encoded("thumbnail", thumbnail, square_blur, xmp),
        _encoded("icon", icon, square_blur, xmp),
        _encoded("display", stamp(display, watermark), blur_of(small), xmp),
    ]


def _display_and_square(content: bytes, limits: Limits) -> tuple[Image.Image, Image.Image]:
    """From one decode, upright and in sRGB: the display size, and what the square sizes are cut from."""
    with opened(content, limits) as image:
        if max(image.size) > DISPLAY_SIDE_PX:
            image.draft(None, _within(image.size, HALVED_SIDE_PX))  # only the JPEG decoder can; the others ignore it
        turn, profile = orientation(image), image.info.get("icc_profile")
        image.load()
        display = square = _finished(_resized(image, _within(image.size, DISPLAY_SIDE_PX)), turn, profile)
        if min(display.size) < THUMBNAIL_SIDE_PX < min(image.size):  # a panorama: too low to cut a sharp square from
            middle = image.crop(_middle(image.size))
            square = _finished(_resized(middle, (THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX)), turn, profile)
    return display, square


def _within(size: tuple[int, int], side_px: int) -> tuple[int, int]:
    """The size, made smaller where needed so that no side is longer."""
    longest_px = max(size)
    if longest_px <= side_px:
        return size
    width_px, height_px = (max(1, round(length * side_px / longest_px)) for length in size)
    return width_px, height_px


def _middle(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest square there is in the middle."""
    side_px = min(size)
    left, top = ((length - side_px) // 2 for length in size)
    return (left, top, left + side_px, top + side_px)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A band at a time, first across and then down: 64 million pixels are never held a second time in another mode."""
    if image.size == size:
        return _resizable(image)
    width_px, height_px = size
    narrow: Image.Image | None = None
    for top in range(0, image.height, BAND_PX):
        band = _resizable(image.crop((0, top, image.width, min(top + BAND_PX, image.height))))
        band = band.resize((width_px, band.height), Image.Resampling.LANCZOS)
        if narrow is None:
            narrow = Image.new(band.mode, (width_px, image.height))
        narrow.paste(band, (0, top))
    assert narrow is not None  # no picture is without a row
    return narrow.resize((width_px, height_px), Image.Resampling.LANCZOS)


def _resizable(image: Image.Image) -> Image.Image:
    """Eight bits a channel, no palette, alpha multiplied in: L, La, RGB, RGBa or CMYK. The profile still applies."""
    if image.mode.startswith("I"):
        # convert("L") alone would cut everything above 255 to white.
        return image.convert("I").point(lambda level: level * (1 / 257) + 0.5).convert("L")
    if image.has_transparency_data:
        return image.convert("La") if image.mode == "LA" else image.convert("RGBA").convert("RGBa")
    if image.mode in ("RGB", "L", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _finished(image: Image.Image, turn: int, profile: bytes | None) -> Image.Image:
    alpha: Image.Image | None = None
    if image.mode in ("La", "RGBa"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    image = _in_srgb(image, profile)
    if alpha is not None:
        image.putalpha(alpha)
    return image.transpose(_UPRIGHT[turn]) if turn in _UPRIGHT else image


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB. A profile that is broken or is for other channels counts as none."""
    if profile:
        with suppress(ImageCms.PyCMSError, OSError, ValueError):
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert converted is not None  # only an in-place conversion gives None
            return converted
    return image if image.mode == "RGB" else image.convert("RGB")


def _encoded(kind: VariantKind, image: Image.Image, blur: str, xmp: bytes) -> Variant:
    out, written = BytesIO(), WEBP if image.mode == "RGBA" else FORMATS[kind]  # a JPEG knows no alpha
    image.save(out, written.name, xmp=xmp, **written.options)
    return Variant(kind, out.getvalue(), image.width, image.height, written.content_type, blur)

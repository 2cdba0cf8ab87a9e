"""Bytes from anywhere -> a picture, or one sentence why not. Runs in a child process only (`sandbox.py`).

The first bytes decide the type; names and headers of a request do not. What a header claims is refused before a pixel
is decoded, and a picture counts as sound only after a full decode: Pillow's `verify()` passes truncated JPEGs. Of an
animation the first frame is decoded, as it is the one that makes the variants.
"""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import msgspec
from PIL import ExifTags, Image

from jobs.errors import ImageInvalid

ACCEPTED = "PNG, JPEG, WebP, GIF or AVIF"

# What Pillow's decoders raise on bytes that lie (RuntimeError: libavif; AssertionError: a palette that is missing).
UNREADABLE = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    struct.error,
    zlib.error,
)


class Limits(msgspec.Struct, frozen=True):
    max_bytes: int = 50 * 1024 * 1024
    max_pixels: int = 64_000_000
    max_side_px: int = 16_384  # WebP and most GPUs end here
    max_frames: int = 1_000  # half a minute of GIF; counting more of them is itself a cost
    max_working_bytes: int = 420 * 1024 * 1024  # beside Python, the libraries and the file, in a child of 512 MiB


class Facts(msgspec.Struct, frozen=True):
    """What is true of a picture. Width and height are as shown, with its orientation applied."""

    content_type: str
    extension: str
    width_px: int
    height_px: int
    frames: int
    has_alpha: bool
    sha256: str
    size_bytes: int


class Kind(msgspec.Struct, frozen=True):
    pillow_name: str
    content_type: str
    extension: str


PNG = Kind("PNG", "image/png", "png")
JPEG = Kind("JPEG", "image/jpeg", "jpg")
WEBP = Kind("WEBP", "image/webp", "webp")
GIF = Kind("GIF", "image/gif", "gif")
AVIF = Kind("AVIF", "image/avif", "avif")

# What decoders need at their worst moment, in bytes a pixel: libwebp keeps two frames and hands over a copy of one,
# libavif has planes, RGB and a copy, and of either Pillow makes its own.
WEBP_WORKING_BYTES = 16
AVIF_WORKING_BYTES = 10


def sniff(content: bytes) -> Kind:
    """The kind of picture these bytes begin like. Raises ImageInvalid for everything else."""
    if not content:
        raise ImageInvalid("The file is empty.")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return WEBP
    if content.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    brands = _brands(content)
    if brands & {b"avif", b"avis"}:
        return AVIF
    raise ImageInvalid(_why_not(content, brands))


def inspect(content: bytes, limits: Limits) -> Facts:
    """Decode the whole picture once and say what it is. Raises ImageInvalid."""
    kind = sniff(content)
    with opened(content, limits) as image:
        frames = _frames(image, kind)
        width_px, height_px = _shown_size(image)
        image.draft(None, (1, 1))  # a JPEG's every coefficient is read, and an eighth of its pixels made
        image.load()
        return Facts(
            content_type=kind.content_type,
            extension=kind.extension,
            width_px=width_px,
            height_px=height_px,
            frames=frames,
            has_alpha=image.has_transparency_data,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
        )


@contextmanager
def opened(content: bytes, limits: Limits) -> Iterator[Image.Image]:
    """The picture, opened and within the limits but not decoded; what decoding it raises inside the block becomes
    ImageInvalid."""
    kind = sniff(content)
    if len(content) > limits.max_bytes:
        raise _too_large(
            f"The file has {len(content) / 2**20:.1f} MiB; at most {limits.max_bytes / 2**20:.0f} MiB are taken."
        )
    if kind is WEBP:
        width_px, height_px = size = _webp_size(content)
        _check_size(size, limits)
        _check_working_bytes(kind, size, WEBP_WORKING_BYTES * width_px * height_px, limits)
    Image.MAX_IMAGE_PIXELS = limits.max_pixels  # Pillow's own check, before it hands out the size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a decoder's remarks on odd metadata help nobody here
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(BytesIO(content), formats=[kind.pillow_name]) as image:
                _check_header(image, kind, limits)
                yield image
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_large(
                f"The picture claims more pixels than the {limits.max_pixels:,} that are taken."
            ) from error
        except MemoryError as error:
            raise _too_large("The picture needs more memory to decode than is allowed. Make it smaller.") from error
        except UNREADABLE as error:
            name = kind.extension.upper()
            raise ImageInvalid(
                f"The file begins like a {name} but is damaged or cut short. Export it again."
            ) from error


def orientation(image: Image.Image) -> int:
    """How the picture is to be turned to be shown, 1 to 8 as in EXIF."""
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except UNREADABLE:  # broken EXIF is common and says nothing about the pixels
        return 1
    return turn if turn in range(1, 9) else 1


def _check_size(size: tuple[int, int], limits: Limits) -> None:
    width_px, height_px = size
    if max(size) > limits.max_side_px:
        raise _too_large(
            f"The picture is {width_px} × {height_px}; a side may have at most {limits.max_side_px} pixels."
        )
    if width_px * height_px > limits.max_pixels:
        raise _too_large(f"The picture is {width_px} × {height_px}; at most {limits.max_pixels:,} pixels are taken.")


def _check_header(image: Image.Image, kind: Kind, limits: Limits) -> None:
    width_px, height_px = image.size
    _check_size(image.size, limits)
    if kind is JPEG:
        _check_working_bytes(kind, image.size, _coefficient_bytes(image), limits)
    elif kind is AVIF:
        _check_working_bytes(kind, image.size, AVIF_WORKING_BYTES * width_px * height_px, limits)
    frames = _frames(image, kind)
    if frames > limits.max_frames:
        raise _too_large(f"The animation has {frames:,} frames; at most {limits.max_frames:,} are taken.")


def _check_working_bytes(kind: Kind, size: tuple[int, int], working_bytes: int, limits: Limits) -> None:
    if working_bytes > limits.max_working_bytes:
        width_px, height_px = size
        raise _too_large(
            f"The picture is {width_px} × {height_px}, which takes too much memory to decode as {kind.pillow_name}. "
            "Make it smaller, or export it as PNG."
        )


def _coefficient_bytes(image: Image.Image) -> int:
    """A JPEG in several scans, as progressive ones are, keeps all its coefficients: two bytes each."""
    layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])
    largest = max((across * down for _, across, down, _ in layers), default=1) or 1
    return 2 * sum(image.width * image.height * across * down // largest for _, across, down, _ in layers)


def _webp_size(content: bytes) -> tuple[int, int]:
    """What the header claims (RFC 9649): libwebp takes memory for it as soon as a file is opened. 0 × 0: unknown."""
    first, at = content[12:16], 20
    if first == b"VP8X":
        return (int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1)
    if first == b"VP8L":
        bits = int.from_bytes(content[at + 1 : at + 5], "little")
        return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if first == b"VP8 ":
        width, height = (int.from_bytes(content[at + start : at + start + 2], "little") for start in (6, 8))
        return (width & 0x3FFF, height & 0x3FFF)
    return (0, 0)


def _frames(image: Image.Image, kind: Kind) -> int:
    if kind is JPEG:  # a phone's JPEG may carry a depth map or a second view: not an animation
        return 1
    return int(getattr(image, "n_frames", 1))


def _shown_size(image: Image.Image) -> tuple[int, int]:
    width_px, height_px = image.size
    return (height_px, width_px) if orientation(image) >= 5 else (width_px, height_px)


def _brands(content: bytes) -> set[bytes]:
    """The brands of an ISO media file's first box (ISO 14496-12, 4.3), e.g. `avif`, `heic`."""
    if content[4:8] != b"ftyp":
        return set()
    box = content[: min(int.from_bytes(content[:4], "big"), 256)]
    return {box[8:12], *(box[at : at + 4] for at in range(16, len(box) - 3, 4))}


def _why_not(content: bytes, brands: set[bytes]) -> str:
    head = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return f"SVG drawings can carry scripts and are not taken. Export it as {ACCEPTED}."
    if brands & {b"heic", b"heix", b"hevc", b"mif1"}:
        return f"HEIC photos are not taken. Export it as {ACCEPTED}."
    return f"The file is not a picture of a kind that is taken. Use {ACCEPTED}."


def _too_large(detail: str) -> ImageInvalid:
    return ImageInvalid(detail, code="IMAGE_TOO_LARGE")

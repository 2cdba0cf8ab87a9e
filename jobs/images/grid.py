"""Four pictures in one, two by two, as some providers hand them over. Runs in a child process only (`sandbox.py`)."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from jobs.images.decode import Limits, opened


def quarters(content: bytes, limits: Limits) -> list[bytes]:
    """PNGs, row by row: nothing is lost but the sender's metadata, which speaks of the whole. Raises ImageInvalid."""
    with opened(content, limits) as image:
        image.load()
        across, down = image.width // 2, image.height // 2
        corners = [(left, top) for top in (0, image.height - down) for left in (0, image.width - across)]
        return [_png(image.crop((left, top, left + across, top + down))) for left, top in corners]


def _png(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()

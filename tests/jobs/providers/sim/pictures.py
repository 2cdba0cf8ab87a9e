"""Real pictures, each number another one."""

from __future__ import annotations

from io import BytesIO

from PIL import Image


def picture(number: int = 0, kind: str = "PNG", side_px: int = 64) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (side_px, side_px), (number * 47 % 256, 128, 255 - number * 31 % 256)).save(buffer, kind)
    return buffer.getvalue()

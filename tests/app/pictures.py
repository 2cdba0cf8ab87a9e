"""Pictures as people bring them, small ones, large ones, ones with a secret in them; and how they bring them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import httpx
from PIL import Image


def a_picture(kind: str = "PNG", size: tuple[int, int] = (640, 400), color: str = "#c2410c", **options: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, color).save(out, kind, **options)
    return out.getvalue()


def a_photo_with_a_place() -> bytes:
    """A JPEG whose EXIF says where it was taken, as a phone's does."""
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 13.0)
    return a_picture("JPEG", exif=exif)


def padded(content: bytes, size: int) -> bytes:
    """The same picture with as much behind it that it has `size` bytes: decoders stop at its end."""
    assert len(content) <= size
    return content + b"\0" * (size - len(content))


def asks(http: httpx.Client, content_type: str = "image/png", **more: Any) -> dict[str, Any]:
    """What POST /api/artworks/upload-url answers."""
    answer = http.post("/api/artworks/upload-url", json={"filename": "a.png", "contentType": content_type, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def puts(address: dict[str, Any], content: bytes) -> int:
    """As a browser does: no cookie, no token, only what the address says."""
    return httpx.request(
        address["method"], address["uploadUrl"], headers=address["headers"], content=content, trust_env=False
    ).status_code


def uploads(http: httpx.Client, content: bytes, content_type: str = "image/png") -> str:
    """The key of an upload that has arrived."""
    address = asks(http, content_type)
    assert puts(address, content) in {200, 204}
    return str(address["key"])


def brings(http: httpx.Client, title: str = "A fox", content: bytes | None = None, **more: Any) -> dict[str, Any]:
    """A new artwork."""
    key = uploads(http, content or a_picture())
    answer = http.post("/api/artworks", json={"title": title, "originalKey": key, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made

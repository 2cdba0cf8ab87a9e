"""Pictures made with Pillow for these tests, and the shared corpus of difficult ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "data" / "images"

Encode = Callable[..., bytes]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def encode() -> Encode:
    def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
        out = BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    return encoded


@pytest.fixture
def photo() -> Image.Image:
    """A quarter of it is red, at the top left: which way is up can be told."""
    image = Image.new("RGB", (400, 200), (30, 90, 200))
    image.paste((220, 30, 30), (0, 0, 200, 100))
    return image


def corpus_entries() -> list[dict[str, Any]]:
    manifest = CORPUS / "manifest.json"
    entries: list[dict[str, Any]] = json.loads(manifest.read_text()) if manifest.exists() else []
    return entries


@pytest.fixture
def corpus() -> Path:
    if not CORPUS.is_dir():
        if os.environ.get("CI"):
            pytest.fail("the shared picture corpus is missing")
        pytest.skip("the shared picture corpus is not on this machine")
    return CORPUS

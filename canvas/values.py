"""What a JSON value may hold before it enters a document: bounded nesting, JavaScript's integers, no hostile keys,
no pictures (CONTRACT §4 and §5, limits)."""

from __future__ import annotations

import math
import re
from typing import Any

from canvas.errors import Invalid
from canvas.metrics import BASE64_REFUSALS

MAX_DEPTH = 64
MAX_SAFE_INTEGER = 2**53 - 1  # beyond it JavaScript rounds, and two browsers would disagree
FORBIDDEN_KEYS = frozenset({"__proto__", "prototype", "constructor"})
_BASE64_PICTURE = re.compile(r"data:image/[^\"]{0,80};base64,[A-Za-z0-9+/=]{100}")


MAX_COORDINATE = 1e15  # what is further out, a browser's own arithmetic turns into NaN for everyone


def is_coordinate(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_COORDINATE


def is_viewport(value: Any) -> bool:
    """`{x, y, zoom}`, what React Flow's `toObject()` says of where one looks."""
    return isinstance(value, dict) and all(is_coordinate(value.get(key)) for key in ("x", "y", "zoom"))


def holds_base64_picture(text: str) -> bool:
    """Whether a string carries a picture as base64 (at least 100 characters of it)."""
    return ";base64," in text and _BASE64_PICTURE.search(text) is not None


def check_json(value: Any, depth: int = 0) -> None:
    """Raise Invalid (BASE64_REFUSED, NUL_CHARACTER, VALIDATION_FAILED) unless `value` may be stored."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        _check_depth(depth)
        for key, member in value.items():
            if key in FORBIDDEN_KEYS:
                raise Invalid(f"The key “{key}” is not allowed.")
            _check_text(key)
            check_json(member, depth + 1)
    elif isinstance(value, list):
        _check_depth(depth)
        for member in value:
            check_json(member, depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise Invalid("Numbers must be finite: NaN and infinity cannot be stored.")
    elif isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        raise Invalid("Whole numbers beyond 2^53 cannot be stored: a browser would round them. Send them as text.")


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise Invalid(f"Objects and lists may be nested at most {MAX_DEPTH} deep.")


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Invalid("The character U+0000 cannot be stored; remove it.", code="NUL_CHARACTER")
    if holds_base64_picture(text):
        BASE64_REFUSALS.inc()
        raise Invalid(
            "Pictures are not stored as base64. Upload it with POST /api/artworks/upload-url and store its URL.",
            code="BASE64_REFUSED",
        )

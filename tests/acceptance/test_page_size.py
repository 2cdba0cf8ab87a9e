"""How much the page loads before it can begin."""

from __future__ import annotations

import gzip
import re

import pytest

from app.routes.page import DIST

pytestmark = pytest.mark.browser

INITIAL_KB = 250

_ENTRY = re.compile(r'<(?:script[^>]* src|link rel="modulepreload"[^>]* href)="/(assets/[^"]+\.js)"')
_STATIC_IMPORT = re.compile(r'(?:^|[;}])import(?:[^"\'();]*from)?\s*["\']\./([^"\']+\.js)["\']')


def initial_scripts() -> set[str]:
    """What the browser has to have before the page can begin: the document's scripts and all they import."""
    found: set[str] = set()
    waiting = _ENTRY.findall((DIST / "index.html").read_text())
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [f"assets/{other}" for other in _STATIC_IMPORT.findall((DIST / name).read_text())]
    return found


def test_the_page_begins_with_less_than_250_kb_of_script() -> None:
    """PG33"""
    sizes = {name: len(gzip.compress((DIST / name).read_bytes())) for name in initial_scripts()}
    assert 50_000 < sum(sizes.values()) <= INITIAL_KB * 1000, sizes

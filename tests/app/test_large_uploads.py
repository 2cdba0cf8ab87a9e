"""An upload as large as any that is taken: it passes through the server, and does not stay in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.app.pictures import a_picture, asks, padded
from tests.app.running import Person, Server
from tests.jobs.images.test_memory import peak_bytes

LARGEST_BYTES = 50 << 20  # EASEL_MAX_UPLOAD_BYTES
CHUNK_BYTES = 1 << 16


def in_chunks(content: bytes) -> Iterator[bytes]:
    """Without telling its length beforehand, as a client may."""
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]


def puts(person: Person, content: bytes) -> tuple[int, str]:
    """The status, and the key."""
    address = asks(person.http)
    with httpx.Client(timeout=60, trust_env=False) as anybody:
        answer = anybody.put(address["uploadUrl"], headers=address["headers"], content=in_chunks(content))
    return answer.status_code, str(address["key"])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_largest_upload_passes_with_flat_memory(server: Server, person: Person) -> None:
    """AW2: one byte more is refused, whatever its sender says of its length."""
    content = padded(a_picture("JPEG", (900, 600)), LARGEST_BYTES)
    assert puts(person, a_picture())[0] == 204  # what is loaded once is loaded
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak is now what is held
    before_bytes = peak_bytes(server.pid)

    status, key = puts(person, content)

    assert status == 204
    assert peak_bytes(server.pid) - before_bytes < LARGEST_BYTES / 2
    made = person.http.post("/api/artworks", json={"title": "Large", "originalKey": key})
    assert made.status_code == 201, made.text
    with person.http.stream("GET", made.json()["data"]["originalUrl"]) as answer:
        assert sum(len(chunk) for chunk in answer.iter_bytes()) == LARGEST_BYTES
    assert puts(person, content + b"x")[0] == 413

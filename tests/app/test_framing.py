"""What our frames are to a WebSocket library that is not ours."""

from __future__ import annotations

import secrets
import zlib

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from app.framing import MIN_DEFLATED_BYTES, extent, framed, inflated, unmasked

SIZES = (0, 1, 125, 126, MIN_DEFLATED_BYTES, 65535, 65536, 300_000)


def read(data: bytes, *, max_size: int | None = None) -> Frame:
    """What a client makes of it."""
    reader = StreamReader()
    reader.feed_data(data)
    extension = PerMessageDeflate(True, True, 15, 15)
    parsing = Frame.parse(reader.read_exact, mask=False, max_size=max_size, extensions=[extension])
    try:
        while True:
            next(parsing)
    except StopIteration as whole:
        frame: Frame = whole.value
    return frame


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("may_deflate", [False, True])
def test_frame_is_read_as_it_was_written(size: int, may_deflate: bool) -> None:
    payload = (secrets.token_hex(40).encode() * (size // 80 + 1))[:size]

    frame = read(framed(payload, may_deflate))

    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, payload)
    assert may_deflate is False or size < MIN_DEFLATED_BYTES or len(framed(payload, True)) < size


@pytest.mark.parametrize("size", SIZES)
def test_clients_frame_is_found_and_read(size: int) -> None:
    payload = secrets.token_bytes(size)
    data = b"xyz" + Frame(Opcode.TEXT, payload).serialize(mask=True)

    found = extent(data + b"next", 3)

    assert found is not None
    assert found[1] == len(data)
    assert unmasked(data, *found) == payload


def test_half_a_head_is_none() -> None:
    data = Frame(Opcode.TEXT, b"x" * 70_000).serialize(mask=True)

    assert [extent(data[:have], 0) is None for have in range(12)] == [True] * 10 + [False] * 2
    assert extent(b"\x81\x05hello", 0) == (2, 7)


def test_inflating_stops_where_it_is_told_to() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = bomb.compress(bytes(1 << 24)) + bomb.flush(zlib.Z_SYNC_FLUSH)

    assert len(inflated(payload.removesuffix(b"\0\0\xff\xff"), 1000)) == 1001

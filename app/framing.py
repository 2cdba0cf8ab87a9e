"""WebSocket frames as bytes (RFC 6455 §5, RFC 7692): made once for everybody, found in what was read."""

from __future__ import annotations

import zlib
from functools import lru_cache

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # the C one, where it was built

TEXT = 0x81  # the last fragment of a text message, and its first
DEFLATED = 0x40
MIN_DEFLATED_BYTES = 1 << 10  # below it the header and a compressor's start cost more than the bytes that are saved
LONG = 127  # lengths of 64 KiB and more
_TAIL = b"\0\0\xff\xff"


def header(size: int, first: int = TEXT) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, LONG)) + size.to_bytes(8, "big")


@lru_cache(maxsize=4)  # a room's sockets ask one after another, some of them for the compressed one
def framed(payload: bytes, may_deflate: bool) -> bytes:
    if not may_deflate or len(payload) < MIN_DEFLATED_BYTES:
        return header(len(payload)) + payload
    small = deflated(payload)
    return header(len(small), TEXT | DEFLATED) + small


@lru_cache(maxsize=16)  # the parts of the snapshots that people are joining with
def deflated(payload: bytes) -> bytes:
    """Without context takeover, so that it is the same for every client."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)


def inflated(payload: bytes, max_bytes: int) -> bytes:
    """At most one byte more than `max_bytes` of it. Raises zlib.error."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(payload + _TAIL, max_bytes + 1)


def unmasked(data: bytes, mask_at: int, end: int) -> bytes:
    """The payload of a client's frame."""
    return apply_mask(data[mask_at + 4 : end], data[mask_at : mask_at + 4])


def extent(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the frame that begins at `at` has its mask, and where it ends; None: its head has not come whole."""
    have = len(data) - at
    if have < 2:
        return None
    size, mask_at = data[at + 1] & 0x7F, at + 2
    if size >= 126:
        mask_at += 2 if size == 126 else 8
        if at + have < mask_at:
            return None
        size = int.from_bytes(data[at + 2 : mask_at], "big")
    is_masked = data[at + 1] >> 7
    return mask_at, mask_at + size + 4 * is_masked

"""Damaged pictures without end, from a seed: what uploads, providers and attackers send."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

from jobs.images.decode import PNG, sniff

EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00\x00", b"\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff")


def mutated(sound: list[bytes], rng: random.Random) -> bytes:
    """One of the pictures with one to eight damages. A PNG's checksums are mended half of the time: else its decoder
    would see none of them. One in a hundred claims to be large, within what is taken."""
    content = bytearray(rng.choice(sound))
    if rng.random() < 0.01 and content.startswith(b"\x89PNG\r\n\x1a\n"):
        struct.pack_into(">II", content, 16, rng.randrange(4000, 8000), rng.randrange(4000, 8000))
        _mend_checksums(content)
        return bytes(content)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        _damage(content, sound, rng)
    if rng.random() < 0.5 and content.startswith(b"\x89PNG\r\n\x1a\n") and sniff(bytes(content)) is PNG:
        _mend_checksums(content)
    return bytes(content)


def _damage(content: bytearray, sound: list[bytes], rng: random.Random) -> None:
    if not content:
        return
    in_head = rng.random() < 0.5  # where the sizes are
    at = rng.randrange(min(len(content), 256) if in_head else len(content))
    match rng.randrange(8):
        case 0 | 1 | 2:
            content[at] ^= 1 << rng.randrange(8)
        case 3 | 4:
            extreme = rng.choice(EXTREMES)
            content[at : at + len(extreme)] = extreme
        case 5:
            del content[at : at + rng.choice((1, 4, 64, 4096, len(content)))]
        case 6:
            content[at:at] = content[at : at + rng.choice((1, 16, 512))] * rng.choice((1, 2, 30))
        case _:
            other = rng.choice(sound)
            start = rng.randrange(len(other))
            content[at : at + 200] = other[start : start + 200]


def _mend_checksums(content: bytearray) -> None:
    for start, length in _chunks(content):
        struct.pack_into(">I", content, start + 8 + length, zlib.crc32(content[start + 4 : start + 8 + length]))


def _chunks(content: bytearray) -> Iterator[tuple[int, int]]:
    at = 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        if at + 12 + length > len(content):
            return
        yield at, length
        at += 12 + length

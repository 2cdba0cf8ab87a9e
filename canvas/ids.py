"""Ids: a prefix that says what it names, then 48 bits of time and 80 random bits in base 32 (the ULID layout).

They sort by time and cannot be guessed.
"""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_session_id() -> str:
    """Eight characters, 48 random bits: it names a socket in each frame of one room, and opens nothing."""
    return secrets.token_urlsafe(6)


def new_id(prefix: str) -> str:
    """A fresh id such as `wf_01jd3q…`: the prefix, an underscore, 26 characters."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return prefix + "_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -5, -5))

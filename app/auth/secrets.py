"""Secrets we hand out: 256 random bits each, of which only the SHA-256 is kept."""

from __future__ import annotations

import secrets
from hashlib import sha256

TOKEN_PREFIX = "easel_"  # noqa: S105 - what makes a leaked token recognisable, not a secret


def mint_secret(prefix: str = "") -> tuple[str, bytes]:
    """A fresh secret and what to store of it."""
    secret = prefix + secrets.token_urlsafe(32)
    return secret, hash_of(secret)


def hash_of(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()

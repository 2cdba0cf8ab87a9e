"""Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks): HMAC-SHA256 over `id.timestamp.body`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from typing import Any

from jobs.webhooks.delivery import Clock, Delivery, News, NotBelieved, identifier, parse, signed_at, word

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_PREFIX = "whsec_"

Contents = Callable[[dict[str, Any]], tuple[object, object]]
"""Where a sender's body keeps the job's id and its state."""


def key_of(secret: str) -> bytes:
    """`whsec_` and base64, as the standard writes it; a secret that is no base64 is taken as it stands."""
    written = secret.removeprefix(_PREFIX)
    try:
        return base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        return written.encode()


def keys_of(setting: str) -> tuple[bytes, ...]:
    """Of a setting that may hold several, comma separated: the first signs, all are believed while they rotate."""
    return tuple(key_of(part.strip()) for part in setting.split(",") if part.strip())


def signature(key: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    signed = b"%b.%b.%b" % (event_id.encode(), timestamp.encode(), body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def sign(key: bytes, event_id: str, body: bytes, now_s: float) -> dict[str, str]:
    """The three headers."""
    timestamp = str(int(now_s))
    return {ID: event_id, TIMESTAMP: timestamp, SIGNATURE: signature(key, event_id, timestamp, body)}


class StandardSender:
    """Replicate, OpenAI, Google (whose endpoints are registered by hand) and `generic`."""

    def __init__(self, keys: tuple[bytes, ...], contents: Contents, clock: Clock = time.time) -> None:
        self._keys = keys
        self._contents = contents
        self._clock = clock

    async def read(self, delivery: Delivery) -> News:
        event_id = verify(delivery, self._keys, self._clock())
        job_id, state = self._contents(parse(delivery.body))
        return News(event_id, identifier(job_id), word(state))


def verify(delivery: Delivery, keys: tuple[bytes, ...], now_s: float) -> str:
    """The event's id. Raises NotBelieved."""
    if not keys:
        raise NotBelieved("unconfigured")
    event_id, timestamp, signatures = (delivery.headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (event_id and timestamp and signatures):
        raise NotBelieved("unsigned")
    # Other versions (`v1a` is ED25519) stand beside ours while a sender changes over.
    given = [one.encode() for one in signatures.split(" ") if one.startswith("v1,")]
    if not given or not re.fullmatch(r"[!-~]{1,200}", event_id):
        raise NotBelieved("malformed")
    signed_at(timestamp, now_s)
    expected = [signature(key, event_id, timestamp, delivery.body).encode() for key in keys]
    if not sum(
        hmac.compare_digest(ours, theirs) for ours in expected for theirs in given
    ):  # each of them: no hint in time
        raise NotBelieved("forged")
    return event_id

"""A webhook as it came, and what there is to know of it once its sender is believed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec

MAX_BODY_BYTES = 1 << 20
TOLERANCE_S = 300  # Standard Webhooks 1.0.0 and fal say the same: five minutes, both ways

Clock = Callable[[], float]
"""Seconds since 1970."""
Doubt = Literal["unconfigured", "unsigned", "malformed", "stale", "forged"]


class Delivery(msgspec.Struct, frozen=True):
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """The very bytes: a parsed and rewritten body has another signature."""


class News(msgspec.Struct, frozen=True):
    """What a believed webhook is about. No part of it is taken for the state of the job."""

    event_id: str
    """The same for the same event, however often it is sent."""
    job_id: str | None
    """The vendor's."""
    word: str
    """The sender's own for the state, to be shown."""

    @property
    def rank(self) -> int:
        """States only go up: 0 waiting, 1 under way, 2 ended."""
        word = self.word.lower().rpartition(".")[2]
        return 2 if word in _ENDED else 0 if word in _WAITING else 1


class NotBelieved(Exception):
    """`reason` is for the count; the sender is not told."""

    def __init__(self, reason: Doubt) -> None:
        super().__init__(reason)
        self.reason: Doubt = reason


class Sender(Protocol):
    async def read(self, delivery: Delivery) -> News:
        """Verify, and only then look inside. Raises NotBelieved, and nothing else whatever the bytes are."""


def signed_at(text: str, now_s: float) -> None:
    """Raises NotBelieved for a time that is none or too far from now, in the future as well."""
    if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII):
        raise NotBelieved("malformed")
    if abs(now_s - int(text)) > TOLERANCE_S:
        raise NotBelieved("stale")


def parse(body: bytes) -> dict[str, Any]:
    """Raises NotBelieved for what is no JSON object."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NotBelieved("malformed") from error


def identifier(value: object) -> str | None:
    """An id as vendors make them; anything else could not be looked for."""
    return value if isinstance(value, str) and re.fullmatch(r"[!-~]{1,200}", value) else None


def word(value: object) -> str:
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", value) else "news"


_WAITING = frozenset({"starting", "queued", "pending", "not_start", "submitted", "in_queue"})
_ENDED = frozenset({
    "succeeded", "completed", "success", "ok", "failed", "failure", "error", "canceled", "cancelled", "cancel",
    "aborted", "expired", "incomplete",
})  # fmt: skip

"""fal's signature: ED25519 by any of the keys that fal publishes (docs.fal.ai, "Webhooks").

It says that fal sent the report, for whichever of its customers: that it is ours follows from the job or the order.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from jobs.errors import JobError
from jobs.providers.http import Vendor
from jobs.webhooks.delivery import Clock, Delivery, News, NotBelieved, identifier, parse, signed_at, word

log = structlog.get_logger(__name__)

JWKS_URL = "https://rest.alpha.fal.ai/.well-known/jwks.json"
KEPT_S = 24 * 3600.0  # fal asks not to keep them longer
PAUSE_S = 60.0  # between two looks for newer keys, however many forged reports come
FETCH_TIMEOUT_S = 3.0  # fal waits 15 s for an answer
_HEADERS = tuple(f"x-fal-webhook-{name}" for name in ("request-id", "user-id", "timestamp", "signature"))

Keys = tuple[Ed25519PublicKey, ...]
FetchKeys = Callable[[], Awaitable[object]]
"""The JWKS document. Raises JobError."""


def jwks_url(queue_url: str) -> str:
    """A queue that is not fal's own signs with keys of its own."""
    parts = urlsplit(queue_url)
    is_fal = parts.hostname is not None and parts.hostname.endswith("fal.run")
    return JWKS_URL if is_fal else f"{parts.scheme}://{parts.netloc}/.well-known/jwks.json"


def fetching(vendor: Vendor, url: str) -> FetchKeys:
    async def fetch() -> object:
        reply = await vendor.send("GET", url, is_order=False, timeout_s=FETCH_TIMEOUT_S)
        if reply.status != 200:
            raise vendor.refusal(reply, is_order=False)
        return reply.json()

    return fetch


class KeyRing:
    """fal's public keys: fetched when first needed, and again after a day or when none of them fits."""

    def __init__(self, fetch: FetchKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Keys = ()
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        """Reports that come together wait for one answer."""

    async def keys(self) -> Keys:
        if self._clock() - self._fetched_at > KEPT_S:
            self._keys = ()
            return await self.newer()
        return self._keys

    async def newer(self) -> Keys:
        """Asked for at most once a minute; until then, or when fal is away, those there are."""
        async with self._asking:
            if self._clock() - self._asked_at >= PAUSE_S:
                self._asked_at = self._clock()
                await self._ask()
        return self._keys

    async def _ask(self) -> None:
        try:
            found = public_keys(await self._fetch())
        except JobError as error:
            log.warning("webhook.keys_missing", provider="fal", reason=error.detail)
            return
        if found:
            self._keys, self._fetched_at = found, self._clock()


class FalSender:
    def __init__(self, ring: KeyRing, clock: Clock = time.time) -> None:
        self._ring = ring
        self._clock = clock

    async def read(self, delivery: Delivery) -> News:
        event_id = await self._verify(delivery)
        body = parse(delivery.body)
        return News(event_id, identifier(body.get("request_id")), word(body.get("status")))

    async def _verify(self, delivery: Delivery) -> str:
        request_id, user_id, timestamp, signature = (delivery.headers.get(name, "") for name in _HEADERS)
        if not (request_id and user_id and timestamp and signature):
            raise NotBelieved("unsigned")
        if identifier(request_id) is None:
            raise NotBelieved("malformed")
        signed_at(timestamp, self._clock())
        try:
            signed_by = bytes.fromhex(signature)
        except ValueError as error:
            raise NotBelieved("malformed") from error
        message = message_of(request_id, user_id, timestamp, delivery.body)
        if not fits(await self._ring.keys(), signed_by, message) and not fits(
            await self._ring.newer(), signed_by, message
        ):
            raise NotBelieved("forged")
        return request_id


def message_of(request_id: str, user_id: str, timestamp: str, body: bytes) -> bytes:
    return "\n".join((request_id, user_id, timestamp, hashlib.sha256(body).hexdigest())).encode()


def fits(keys: Keys, signature: bytes, message: bytes) -> bool:
    for key in keys:
        try:
            key.verify(signature, message)
        except InvalidSignature:
            continue
        return True
    return False


def public_keys(document: Any) -> Keys:
    """Of a JWKS; entries that are no ED25519 key are left out."""
    entries = document.get("keys") if isinstance(document, dict) else None
    found = []
    for entry in entries if isinstance(entries, list) else ():
        x = entry.get("x") if isinstance(entry, dict) else None
        try:
            raw = base64.urlsafe_b64decode(f"{x}==".encode("ascii"))
            found.append(Ed25519PublicKey.from_public_bytes(raw))
        except (ValueError, binascii.Error):
            continue
    return tuple(found)

"""Addresses that carry their own permission: to put one upload where it belongs, to see one stored picture.

A store that signs gives its own, and the bytes do not pass through us. For a folder they are ours: `/objects/{key}`
with an HMAC-SHA256 over method, key, end, most bytes and content type. All servers share the secret (`link_secrets`).
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

import msgspec

from canvas.errors import Forbidden, NotSignedIn
from jobs.objects.store import Objects


class SignedRequest(msgspec.Struct, frozen=True, rename="camel"):
    """How to use such an address."""

    method: Literal["PUT", "GET"]
    url: str
    headers: dict[str, str]
    expires_at: datetime


class Signature(msgspec.Struct, frozen=True):
    """What an address of ours says in its query, as it came."""

    expires: int
    signature: str
    max_bytes: int | None = None


class Links:
    def __init__(
        self, objects: Objects, secret: bytes, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._objects = objects
        self._secret = secret
        self._now = now

    async def for_upload(
        self, key: str, content_type: str, max_bytes: int, expires_at: datetime, origin: str
    ) -> SignedRequest:
        """`origin`: of this Easel, as the caller sees it. Whoever holds the answer may write under that one key.

        A store that signs binds neither size nor type: what arrived is looked at afterwards. Raises StorageFailed.
        """
        headers = {"Content-Type": content_type}
        if self._objects.signs:
            url = await self._objects.sign("PUT", key, expires_at - self._now())
            return SignedRequest("PUT", url, headers | self._objects.upload_headers, expires_at)
        expires = int(expires_at.timestamp())
        query = {"expires": expires, "max": max_bytes}
        query["signature"] = self._signature("PUT", key, expires, max_bytes, content_type)  # type: ignore[assignment]
        return SignedRequest("PUT", f"{origin}/objects/{key}?{urlencode(query)}", headers, expires_at)

    async def for_reading(self, key: str, lasts: timedelta, origin: str) -> SignedRequest:
        """Raises StorageFailed."""
        expires_at = self._now().replace(microsecond=0) + lasts
        if self._objects.signs:
            return SignedRequest("GET", await self._objects.sign("GET", key, lasts), {}, expires_at)
        expires = int(expires_at.timestamp())
        query = urlencode({"expires": expires, "signature": self._signature("GET", key, expires, None, "")})
        return SignedRequest("GET", f"{origin}/objects/{key}?{query}", {}, expires_at)

    def check(self, method: str, key: str, signed: Signature | None, content_type: str = "") -> None:
        """Raises NotSignedIn for an address without a signature, Forbidden for one of another request or time."""
        if signed is None:
            raise NotSignedIn("This address is not signed. POST /api/artworks/upload-url gives one that is.")
        expected = self._signature(method, key, signed.expires, signed.max_bytes, content_type)
        if not hmac.compare_digest(expected.encode(), signed.signature.encode("utf-8", "replace")):
            raise Forbidden(
                "The signature is of another request: use method, address and Content-Type as they were given to you.",
                code="SIGNATURE_INVALID",
            )
        if signed.expires < self._now().timestamp():
            raise Forbidden("This address has expired. Ask for a new one.", code="LINK_EXPIRED")

    def _signature(self, method: str, key: str, expires: int, max_bytes: int | None, content_type: str) -> str:
        bound = "\n".join((method, key, str(expires), "" if max_bytes is None else str(max_bytes), content_type))
        return base64.urlsafe_b64encode(hmac.digest(self._secret, bound.encode(), "sha256")).rstrip(b"=").decode()

"""JWTs of another issuer (Supabase Auth, Auth0, Clerk …): verified by its published keys or a shared secret (RFC 7519).

The algorithm follows from the key that is configured, never from the token alone (RFC 8725, section 3.1).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
import msgspec
import structlog

from app.auth.accounts import MAX_NAME_CHARACTERS
from canvas.errors import NotSignedIn, Unavailable

log = structlog.get_logger(__name__)

LEEWAY_S = 30  # between two clocks
KEYS_FOR_S = 600.0
ASK_AGAIN_AFTER_S = (
    30.0  # for a key nobody has heard of: tokens with invented ones must not become a stream of requests
)
FETCH_TIMEOUT_S = 5.0
MAX_KEYS_BYTES = 256 << 10
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}


class Identity(msgspec.Struct, frozen=True):
    """Whom a token speaks of."""

    issuer: str
    subject: str
    name: str
    expires_at: datetime


class Issuer:
    """`keys_url` (JWKS, RFC 7517) or `secret` (HS256): at least one."""

    def __init__(
        self,
        issuer: str,
        audience: str | None,
        *,
        keys_url: str | None,
        secret: str | None,
        http: httpx.AsyncClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys_url = keys_url
        self._secret = secret
        self._http = http
        self._clock = clock
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._fetching = asyncio.Lock()

    async def identify(self, token: str) -> Identity:
        """Raises NotSignedIn for a token that is not this issuer's, or over, Unavailable without its keys."""
        try:
            header = jwt.get_unverified_header(token)
            key, algorithms = await self._key_of(header)
            claims = jwt.decode(
                token,
                key,
                algorithms=list(algorithms),
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "sub"], "verify_aud": self._audience is not None},
            )
            return Identity(self._issuer, claims["sub"], _name_in(claims), datetime.fromtimestamp(claims["exp"], UTC))
        except (jwt.InvalidTokenError, ValueError, OverflowError, TypeError) as error:
            log.info("token.foreign_refused", reason=type(error).__name__)
            raise NotSignedIn("This token is not valid here, or has expired. Sign in again.") from error

    async def _key_of(self, header: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
        """Raises InvalidTokenError for a key that is none of the issuer's."""
        if self._keys_url is None or (self._secret and header.get("alg") == "HS256"):
            return self._secret, ("HS256",)
        key_id = header.get("kid")
        if self._is_stale(key_id):
            async with self._fetching:
                if self._is_stale(key_id):  # nobody else has fetched them while we waited
                    await self._fetch(self._keys_url)
        key = self._keys.get(key_id)
        if key is None and key_id is None and len(self._keys) == 1:  # an issuer with one key need not name it
            key = next(iter(self._keys.values()))
        if key is None:
            raise jwt.InvalidTokenError("unknown key")
        return key, _ALGORITHMS.get(key.key_type or "", ())

    def _is_stale(self, key_id: str | None) -> bool:
        if self._fetched_at is None:
            return True
        age_s = self._clock() - self._fetched_at
        is_unknown = key_id is not None and key_id not in self._keys
        return age_s > KEYS_FOR_S or (is_unknown and age_s > ASK_AGAIN_AFTER_S)

    async def _fetch(self, url: str) -> None:
        """Keys that are there stay in use while the issuer is away."""
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                found = await self._read(url)
            keys = {key.key_id: key for key in _usable(found)}
        except (httpx.HTTPError, TimeoutError, ValueError, TypeError, KeyError, jwt.PyJWTError) as error:
            log.warning("issuer.keys_unavailable", reason=type(error).__name__)
            if not self._keys:
                raise Unavailable("The sign-in service's keys cannot be fetched. Try again in a moment.") from error
        else:
            self._keys = keys
        self._fetched_at = self._clock()

    async def _read(self, url: str) -> Any:
        body = bytearray()
        async with self._http.stream("GET", url, follow_redirects=False) as answer:
            answer.raise_for_status()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_KEYS_BYTES:
                    raise ValueError("too many keys")
        return msgspec.json.decode(body)


def _usable(document: Any) -> list[jwt.PyJWK]:
    """Keys of a kind we do not know, or for encryption, are left out. Raises ValueError when none is left."""
    keys: list[jwt.PyJWK] = []
    for one in document["keys"]:
        if one.get("kty") in _ALGORITHMS and one.get("use", "sig") == "sig":
            try:
                keys.append(jwt.PyJWK(one))
            except jwt.PyJWTError:
                continue
    if not keys:
        raise ValueError("no key to verify with")
    return keys


def _name_in(claims: dict[str, Any]) -> str:
    """How the person is called: OpenID Connect's names, Supabase's, the part of an address before the @."""
    more = claims.get("user_metadata")
    sources = [claims, more if isinstance(more, dict) else {}]
    wanted = ("name", "full_name", "preferred_username", "nickname", "given_name", "email")
    found = (source.get(key) for key in wanted for source in sources)
    for value in found:
        if isinstance(value, str):
            name = "".join(character for character in value.partition("@")[0] if character.isprintable()).strip()
            if name:
                return name[:MAX_NAME_CHARACTERS].strip()
    return "Somebody"

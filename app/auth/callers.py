"""Finds out who is asking, from a token, a cookie or a ticket. What they may do is `canvas.access`'s to say."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Literal

import msgspec

from app.auth.secrets import hash_of
from app.auth.sessions import COOKIE
from app.auth.tokens import use_ticket
from canvas.errors import Forbidden, NotSignedIn
from canvas.store.postgres import Pool, reaching_the_database

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Caller(msgspec.Struct, frozen=True):
    """A signed-in account and what proved it."""

    account_id: str
    name: str
    color: str
    is_owner: bool
    """Of this Easel; says nothing of any workflow."""
    via: Literal["token", "cookie", "ticket", "admin"]

    def as_user(self) -> dict[str, str]:
        """What others see of them."""
        return {"id": self.account_id, "name": self.name, "color": self.color}


class Callers:
    def __init__(self, pool: Pool, admin_token: str | None, origins: frozenset[str]) -> None:
        self._pool = pool
        self._admin_token = admin_token
        self._origins = origins

    async def of_request(self, headers: Mapping[str, str], cookies: Mapping[str, str], method: str) -> Caller | None:
        """None: nobody. Raises NotSignedIn for a credential that is none, Forbidden for another site's page."""
        authorization = headers.get("authorization")
        if authorization is not None:
            return await self._of_bearer(authorization)
        caller = await self._of_cookie(cookies)
        if caller is not None and method not in SAFE_METHODS:
            self.check_origin(headers)
        return caller

    async def of_socket(
        self, headers: Mapping[str, str], cookies: Mapping[str, str], ticket: str | None
    ) -> Caller | None:
        authorization = headers.get("authorization")
        if authorization is not None:
            return await self._of_bearer(authorization)
        if ticket is not None:
            account_id = await use_ticket(self._pool, ticket)
            if account_id is None:
                raise NotSignedIn("This ticket has been used or has expired.")
            return await self._one(_BY_ID, account_id, "ticket")
        caller = await self._of_cookie(cookies)
        if caller is not None:
            self.check_origin(headers)
        return caller

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """A browser names the page that asks; with a cookie it must be one of ours (CSRF)."""
        if headers.get("origin", "").lower() not in self._origins:
            raise Forbidden("This page's origin may not do that. EASEL_ALLOWED_ORIGINS lists those that may.")

    async def _of_bearer(self, authorization: str) -> Caller:
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise NotSignedIn("The Authorization header must be “Bearer <token>”.")
        if self._admin_token is not None and secrets.compare_digest(token.encode(), self._admin_token.encode()):
            caller = await self._one(_OWNER, None, "admin")
        else:
            caller = await self._one(_BY_TOKEN, hash_of(token), "token")
        if caller is None:
            raise NotSignedIn("This token is unknown, revoked or has expired.")
        return caller

    async def _of_cookie(self, cookies: Mapping[str, str]) -> Caller | None:
        secret = cookies.get(COOKIE)
        return await self._one(_BY_SESSION, hash_of(secret), "cookie") if secret else None

    async def _one(
        self, query: str, key: str | bytes | None, via: Literal["token", "cookie", "ticket", "admin"]
    ) -> Caller | None:
        async with reaching_the_database():
            row = await self._pool.fetchrow(query, *(() if key is None else (key,)))
        return Caller(row["id"], row["name"], row["color"], row["role"] == "owner", via) if row else None


_COLUMNS = "accounts.id, accounts.name, color, role"
_OWNER = f"SELECT {_COLUMNS} FROM accounts WHERE role = 'owner'"
_BY_ID = f"SELECT {_COLUMNS} FROM accounts WHERE id = $1"
_BY_SESSION = f"""
    SELECT {_COLUMNS} FROM sessions JOIN accounts ON accounts.id = account_id
    WHERE token_hash = $1 AND expires_at > now()"""
# `last_used_at` is kept to the minute: a busy script must not turn every read into a write.
_BY_TOKEN = f"""
    WITH live AS (
      SELECT id, account_id, last_used_at FROM api_tokens
      WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    ), used AS (
      UPDATE api_tokens SET last_used_at = now() FROM live
      WHERE api_tokens.id = live.id AND (live.last_used_at IS NULL OR live.last_used_at < now() - interval '1 minute')
    )
    SELECT {_COLUMNS} FROM live JOIN accounts ON accounts.id = account_id"""

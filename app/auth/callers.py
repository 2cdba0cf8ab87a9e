"""Finds out who is asking, from a token, a cookie or a ticket. What they may do is `canvas.access`'s to say."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec

from app.auth import identities
from app.auth.accounts import Account
from app.auth.issuer import Issuer
from app.auth.secrets import TOKEN_PREFIX, hash_of
from app.auth.sessions import COOKIE
from app.auth.tokens import use_ticket
from canvas.errors import Forbidden, NotSignedIn
from canvas.store.postgres import Pool, reaching_the_database

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
Via = Literal["token", "cookie", "ticket", "admin", "issuer"]


class Caller(msgspec.Struct, frozen=True):
    """A signed-in account and what proved it."""

    account_id: str
    name: str
    color: str
    is_owner: bool
    """Of this Easel; says nothing of any workflow."""
    via: Via
    is_guest: bool = False
    """At home only in what was shared with them."""
    expires_at: datetime | None = None
    """When what they signed in with ends; None: not by itself."""
    proof: bytes | None = None
    """The hash of the token or session that they, or their ticket, came with (`app.auth.proofs`)."""
    is_read_only: bool = False
    """What they came with changes nothing, whatever their roles are."""

    def check_resident(self) -> None:
        """Raises Forbidden for a guest, who has nothing of their own here."""
        if self.is_guest:
            raise Forbidden("A guest cannot have workflows of their own. Ask for an account to sign in with.")

    def check_writes(self) -> None:
        """Raises Forbidden for whom may only read."""
        if self.is_read_only:
            raise Forbidden(
                "This token may only read. Make one that may write: `easel token create`.", code="TOKEN_READ_ONLY"
            )

    def as_user(self) -> dict[str, str]:
        """What others see of them."""
        return {"id": self.account_id, "name": self.name, "color": self.color}


class Callers:
    def __init__(
        self, pool: Pool, admin_token: str | None, origins: frozenset[str], issuer: Issuer | None = None
    ) -> None:
        self._pool = pool
        self._issuer = issuer
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
            used = await use_ticket(self._pool, ticket)
            if used is None:
                raise NotSignedIn("This ticket has been used or has expired.")
            return await self._one(_BY_ID, used, "ticket")
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
            caller = await self._one(_OWNER, (), "admin")
        elif self._issuer is not None and token.count(".") == 2 and not token.startswith(TOKEN_PREFIX):
            caller = await self._of_issuer(self._issuer, token)
        else:
            caller = await self._one(_BY_TOKEN, (hash_of(token),), "token")
        if caller is None:
            raise NotSignedIn("This token is unknown, revoked or has expired.")
        return caller

    async def _of_issuer(self, issuer: Issuer, token: str) -> Caller:
        identity = await issuer.identify(token)
        async with reaching_the_database(), self._pool.acquire() as connection:
            account = await identities.find(connection, identity.issuer, identity.subject)
            if account is None:
                async with connection.transaction():
                    account = await identities.find_or_create(
                        connection, identity.issuer, identity.subject, identity.name, role="member"
                    )
        return _caller(account, "issuer", identity.expires_at)

    async def _of_cookie(self, cookies: Mapping[str, str]) -> Caller | None:
        secret = cookies.get(COOKIE)
        return await self._one(_BY_SESSION, (hash_of(secret),), "cookie") if secret else None

    async def _one(self, query: str, keys: tuple[object, ...], via: Via) -> Caller | None:
        async with reaching_the_database():
            row = await self._pool.fetchrow(query, *keys)
        return _caller_of(row, via) if row else None


def _caller(account: Account, via: Via, expires_at: datetime | None) -> Caller:
    return Caller(
        account.id,
        account.name,
        account.color,
        account.role == "owner",
        via,
        is_guest=account.role == "guest",
        expires_at=expires_at,
    )


def _caller_of(row: asyncpg.Record, via: Via) -> Caller:
    return Caller(
        row["id"],
        row["name"],
        row["color"],
        row["role"] == "owner",
        via,
        is_guest=row["role"] == "guest",
        expires_at=row["expires_at"],
        proof=row["proof"],
        is_read_only=row["is_read_only"],
    )


_ACCOUNT = "accounts.id, accounts.name, color, role"
_OWNER = f"""
    SELECT {_ACCOUNT}, NULL::timestamptz AS expires_at, NULL::bytea AS proof, false AS is_read_only
    FROM accounts WHERE role = 'owner'"""
_BY_ID = f"""
    SELECT {_ACCOUNT}, $2::timestamptz AS expires_at, $3::bytea AS proof, $4::boolean AS is_read_only
    FROM accounts WHERE id = $1"""
_BY_SESSION = f"""
    SELECT {_ACCOUNT}, expires_at, token_hash AS proof, false AS is_read_only FROM sessions
    JOIN accounts ON accounts.id = account_id WHERE token_hash = $1 AND expires_at > now()"""
# `last_used_at` is kept to the minute: a busy script must not turn every read into a write.
_BY_TOKEN = f"""
    WITH live AS (
      SELECT id, account_id, last_used_at, expires_at, is_read_only FROM api_tokens
      WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    ), used AS (
      UPDATE api_tokens SET last_used_at = now() FROM live
      WHERE api_tokens.id = live.id AND (live.last_used_at IS NULL OR live.last_used_at < now() - interval '1 minute')
    )
    SELECT {_ACCOUNT}, expires_at, $1::bytea AS proof, is_read_only FROM live
    JOIN accounts ON accounts.id = account_id"""

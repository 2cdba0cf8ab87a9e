"""API tokens for programs, and one-use tickets for WebSockets that can send neither header nor cookie."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from app.auth.proofs import LIVE
from app.auth.secrets import TOKEN_PREFIX, hash_of, mint_secret
from canvas.errors import NotFound
from canvas.ids import new_id
from canvas.store.postgres import Connection, Pool, reaching_the_database

TICKET_SECONDS = 60


class Token(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    account_id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    is_read_only: bool


class NewToken(msgspec.Struct, frozen=True, rename="camel"):
    token: str
    expires_at: datetime


async def create_token(
    connection: Connection, account_id: str, name: str, *, days: int | None, is_read_only: bool = False
) -> tuple[str, str]:
    """The token's id and its secret, which is shown once and cannot be read again."""
    token_id = new_id("tok")
    secret, stored = mint_secret(TOKEN_PREFIX)
    await connection.execute(_INSERT, token_id, account_id, name, stored, days, is_read_only)
    return token_id, secret


async def create_workflow_token(connection: Connection, workflow_id: str, account_id: str, seconds: int) -> NewToken:
    """For another app's user. It opens what that account may, which is this workflow."""
    secret, stored = mint_secret(TOKEN_PREFIX)
    expires_at = await connection.fetchval(_INSERT_PASSING, new_id("tok"), account_id, stored, workflow_id, seconds)
    return NewToken(secret, expires_at)


async def list_tokens(connection: Connection) -> list[Token]:
    return [Token(**row) for row in await connection.fetch(_LIST)]


async def revoke_token(connection: Connection, token_id: str) -> None:
    """Raises NotFound for an unknown token or one that was revoked before."""
    if await connection.fetchval(_REVOKE, token_id) is None:
        raise NotFound(f"There is no live token {token_id}.")


class UsedTicket(NamedTuple):
    account_id: str
    until: datetime | None
    proof: bytes | None
    is_read_only: bool


async def mint_ticket(
    pool: Pool, account_id: str, until: datetime | None, proof: bytes | None, *, is_read_only: bool = False
) -> str:
    """`until`: when what its owner signed in with ends; `proof`: what that was."""
    secret, stored = mint_secret()
    async with reaching_the_database():
        await pool.execute(_INSERT_TICKET, stored, account_id, TICKET_SECONDS, until, proof, is_read_only)
    return secret


async def use_ticket(pool: Pool, secret: str) -> UsedTicket | None:
    """The account a ticket stands for, until when and by what, once."""
    async with reaching_the_database():
        row = await pool.fetchrow(_USE_TICKET, hash_of(secret))
    return UsedTicket(*row) if row is not None and row["account_id"] is not None else None


_INSERT = """
    INSERT INTO api_tokens (id, account_id, name, token_hash, expires_at, is_read_only)
    VALUES ($1, $2, $3, $4, now() + make_interval(days => $5), $6)"""
_INSERT_PASSING = """
    INSERT INTO api_tokens (id, account_id, name, token_hash, workflow_id, expires_at)
    VALUES ($1, $2, 'workflow', $3, $4, now() + make_interval(secs => $5)) RETURNING expires_at"""
_LIST = """
    SELECT id, account_id, name, created_at, expires_at, last_used_at, revoked_at, is_read_only
    FROM api_tokens
    WHERE workflow_id IS NULL ORDER BY created_at"""
_REVOKE = "UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id"
_INSERT_TICKET = """
    INSERT INTO tickets (token_hash, account_id, expires_at, until, proof, is_read_only)
    VALUES ($1, $2, now() + make_interval(secs => $3), $4, $5, $6)"""
_USE_TICKET = f"""
    WITH expired AS (DELETE FROM tickets WHERE expires_at < now() AND token_hash <> $1)
    DELETE FROM tickets WHERE token_hash = $1
    RETURNING CASE WHEN least(expires_at, until) > now()
      AND (proof IS NULL OR EXISTS (SELECT FROM ({LIVE}) live WHERE live.token_hash = proof))
      THEN account_id END AS account_id, until, proof, is_read_only"""

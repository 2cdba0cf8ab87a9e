"""Who an account is elsewhere: a person another issuer signs in, or a user of the app that shows a workflow."""

from __future__ import annotations

import asyncpg

from app.auth.accounts import Account, AccountRole, create
from canvas.errors import Invalid
from canvas.store.postgres import Connection
from canvas.values import check_json

MAX_SUBJECT_CHARACTERS = 255  # OpenID Connect Core 1.0, section 2: `sub`


async def find(connection: Connection, issuer: str, subject: str) -> Account | None:
    row = await connection.fetchrow(_FIND, issuer, subject)
    return Account(**row) if row else None


async def find_or_create(
    connection: Connection, issuer: str, subject: str, name: str, *, role: AccountRole, color: str | None = None
) -> Account:
    """The account of that person, made when they come for the first time. In a transaction. Raises Invalid."""
    check_json(subject)
    if not 1 <= len(subject) <= MAX_SUBJECT_CHARACTERS:
        raise Invalid(f"A user's id has 1 to {MAX_SUBJECT_CHARACTERS} characters.")
    known = await find(connection, issuer, subject)
    if known is not None:
        return known
    account = await create(connection, name, role=role, color=color)
    try:
        async with connection.transaction():  # a savepoint: the same person may be coming in a second time just now
            await connection.execute(_INSERT, issuer, subject, account.id)
    except asyncpg.UniqueViolationError:
        await connection.execute("DELETE FROM accounts WHERE id = $1", account.id)
        known = await find(connection, issuer, subject)
        assert known is not None
        return known
    return account


_FIND = """
    SELECT id, name, color, role, created_at FROM identities JOIN accounts ON accounts.id = account_id
    WHERE issuer = $1 AND subject = $2"""
_INSERT = "INSERT INTO identities (issuer, subject, account_id) VALUES ($1, $2, $3)"

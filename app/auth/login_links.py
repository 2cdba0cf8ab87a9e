"""Login links: a URL that signs a browser in once."""

from __future__ import annotations

import asyncpg

from app.auth.accounts import Account, ensure_owner, find_or_create
from app.auth.secrets import hash_of, mint_secret
from app.auth.sessions import open_session
from canvas.errors import NotSignedIn
from canvas.store.postgres import Connection, Pool, reaching_the_database

LINK_HOURS = 24


async def mint_login_link(database_url: str, public_url: str, *, name: str | None = None) -> str:
    """A fresh link for the owner, or for the account of that name, which is made when there is none."""
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        account = await ensure_owner(connection) if name is None else await find_or_create(connection, name)
        return await link_for(connection, account, public_url)
    finally:
        await connection.close()


async def link_for(connection: Connection, account: Account, public_url: str) -> str:
    secret, stored = mint_secret()
    await connection.execute(_INSERT, stored, account.id, LINK_HOURS)
    return f"{public_url}/login?token={secret}"


async def sign_in(pool: Pool, secret: str) -> str:
    """Use a link up; answers the new session's secret. Raises NotSignedIn when it is used, expired or none."""
    async with reaching_the_database(), pool.acquire() as connection, connection.transaction():
        account_id = await connection.fetchval(_USE, hash_of(secret))
        if account_id is None:
            raise NotSignedIn(
                "This login link has been used or has expired. Ask for a new one, or run `easel login-link`.",
                code="LINK_USED",
            )
        return await open_session(connection, account_id)


_INSERT = """
    INSERT INTO login_links (token_hash, account_id, expires_at) VALUES ($1, $2, now() + make_interval(hours => $3))"""
_USE = """
    UPDATE login_links SET used_at = now() WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()
    RETURNING account_id"""

"""Browser sessions: the cookie `easel_session`."""

from __future__ import annotations

from app.auth.secrets import hash_of, mint_secret
from canvas.store.postgres import Connection, Pool, reaching_the_database

COOKIE = "easel_session"
SESSION_DAYS = 30


async def open_session(connection: Connection, account_id: str) -> str:
    """The new session's secret, the cookie's value."""
    secret, stored = mint_secret()
    await connection.execute(_INSERT, stored, account_id, SESSION_DAYS)
    return secret


async def end_session(pool: Pool, secret: str) -> None:
    async with reaching_the_database():
        await pool.execute("DELETE FROM sessions WHERE token_hash = $1", hash_of(secret))


async def end_all_sessions(pool: Pool, account_id: str) -> None:
    async with reaching_the_database():
        await pool.execute("DELETE FROM sessions WHERE account_id = $1", account_id)


_INSERT = """
    INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($1, $2, now() + make_interval(days => $3))"""

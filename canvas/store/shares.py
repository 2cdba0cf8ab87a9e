"""Links that give whoever opens them a role on one workflow, until they are revoked or expire (CONTRACT §3, §4)."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from canvas.errors import Invalid, LimitReached, NotFound
from canvas.ids import new_id
from canvas.store.access_events import acting
from canvas.store.postgres import Pool, reaching_the_database

MAX_SHARES = 100  # live links of one workflow: nobody looks through more of them
SharedRole = Literal["editor", "viewer"]


class Share(msgspec.Struct, frozen=True):
    id: str
    workflow_id: str
    secret: str
    role: SharedRole
    may_run: bool
    guests: int
    """How many accounts have come in through it."""
    created_at: datetime
    expires_at: datetime | None


class Opened(NamedTuple):
    """A link that was followed."""

    share_id: str
    workflow_id: str


class Shares:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(
        self, workflow_id: str, account_id: str, role: SharedRole, *, may_run: bool, expires_at: datetime | None
    ) -> Share:
        """A new link. Raises Invalid for one that has expired already, LimitReached for the hundred and first."""
        secret = secrets.token_urlsafe(24)
        async with reaching_the_database(), self._pool.acquire() as connection, connection.transaction():
            if expires_at is not None and expires_at <= await connection.fetchval("SELECT now()"):
                raise Invalid("`expiresAt` lies in the past.")
            await connection.execute("SELECT FROM workflows WHERE id = $1 FOR UPDATE", workflow_id)
            if await connection.fetchval(_COUNT, workflow_id) >= MAX_SHARES:
                raise LimitReached(f"A workflow has at most {MAX_SHARES} live links. Revoke one first.")
            row = await connection.fetchrow(
                _INSERT, new_id("share"), workflow_id, secret, role, may_run, account_id, expires_at
            )
        assert row is not None
        return Share(**row)

    async def live(self, workflow_id: str) -> list[Share]:
        """Newest first."""
        async with reaching_the_database():
            rows = await self._pool.fetch(_LIST, workflow_id)
        return [Share(**row) for row in rows]

    async def revoke(self, workflow_id: str, share_id: str, *, by: str) -> None:
        """Whoever came through it is out. Raises NotFound for a link that has ended."""
        async with reaching_the_database(), self._pool.acquire() as connection, connection.transaction():
            await acting(connection, by)
            ended = await connection.fetchval(_REVOKE, workflow_id, share_id)
        if ended is None:
            raise NotFound("There is no such link.")

    async def find(self, secret: str) -> Opened:
        """Raises NotFound for a link that is none, or no more."""
        async with reaching_the_database():
            row = await self._pool.fetchrow(_FIND, secret)
        if row is None:
            raise NotFound("This link has been revoked or has expired. Ask for a new one.", code="LINK_OVER")
        return Opened(row["id"], row["workflow_id"])

    async def let_in(self, opened: Opened, account_id: str) -> None:
        """From now on the account has what the link gives. To come again changes nothing."""
        async with reaching_the_database():
            await self._pool.execute(_LET_IN, opened.share_id, account_id, opened.workflow_id)

    async def end_expired(self) -> list[str]:
        """The workflows of links whose time has come: what they gave is taken away where it is used."""
        async with reaching_the_database():
            rows = await self._pool.fetch(_END_EXPIRED)
        return sorted({row["workflow_id"] for row in rows})


_GUESTS = "(SELECT count(*) FROM share_guests WHERE share_id = shares.id) AS guests"
_COLUMNS = f"id, workflow_id, secret, role, may_run, {_GUESTS}, created_at, expires_at"
_LIVE = "ended_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
_COUNT = f"SELECT count(*) FROM shares WHERE workflow_id = $1 AND {_LIVE}"
_INSERT = f"""
    INSERT INTO shares (id, workflow_id, secret, role, may_run, created_by, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_COLUMNS}"""
_LIST = f"SELECT {_COLUMNS} FROM shares WHERE workflow_id = $1 AND {_LIVE} ORDER BY created_at DESC, id DESC"
_REVOKE = f"""
    UPDATE shares SET ended_at = now(), secret = NULL WHERE workflow_id = $1 AND id = $2 AND {_LIVE} RETURNING id"""
_FIND = f"""
    SELECT shares.id, workflow_id FROM shares JOIN workflows ON workflows.id = workflow_id
    WHERE secret = $1 AND deleted_at IS NULL AND {_LIVE}"""
_LET_IN = """
    INSERT INTO share_guests (share_id, account_id, workflow_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"""
_END_EXPIRED = """
    UPDATE shares SET ended_at = expires_at, secret = NULL WHERE ended_at IS NULL AND expires_at <= now()
    RETURNING workflow_id"""

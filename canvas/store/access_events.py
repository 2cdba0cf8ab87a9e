"""Who let whom in, and when. Triggers of the database write it, whatever gave the access."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from canvas.store.postgres import Connection, Pool, reaching_the_database

AccessEventKind = Literal[
    "role_given", "role_taken", "link_made", "link_ended", "link_followed", "token_made", "token_revoked"
]


class AccessEvent(msgspec.Struct, frozen=True, rename="camel"):
    number: int
    at: datetime
    kind: AccessEventKind
    account_id: str | None
    """Whose access it was; null for a link."""
    account_name: str | None
    share_id: str | None
    role: str | None
    may_run: bool | None
    by_id: str | None
    """Who did it; null: nobody, as when a link expires."""
    by_name: str | None


async def acting(connection: Connection, account_id: str) -> None:
    """Whose doing the rest of the transaction is."""
    await connection.execute("SELECT set_config('easel.actor', $1, true)", account_id)


class AccessEvents:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, workflow_id: str, *, limit: int, before: int | None) -> list[AccessEvent]:
        """Newest first, those below the number `before`."""
        async with reaching_the_database():
            rows = await self._pool.fetch(_PAGE, workflow_id, before, limit)
        return [AccessEvent(**row) for row in rows]


_PAGE = """
    SELECT number, at, kind, event.account_id, whose.name AS account_name, share_id, event.role, may_run, by_id,
      doer.name AS by_name
    FROM access_events AS event
    LEFT JOIN accounts AS whose ON whose.id = event.account_id
    LEFT JOIN accounts AS doer ON doer.id = by_id
    WHERE workflow_id = $1 AND ($2::bigint IS NULL OR number < $2) ORDER BY number DESC LIMIT $3"""

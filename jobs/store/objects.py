"""Rows of `objects`: whose each stored object is, and what it holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple

from canvas.store.postgres import Pool, reaching_the_database
from jobs.renders import KeptObject

ROWS_AT_ONCE = 1000


class ObjectRow(NamedTuple):
    key: str
    created_at: datetime


class ObjectRows:
    def __init__(self, database: Pool) -> None:
        self._database = database

    async def insert(self, account_id: str, kept: KeptObject) -> None:
        async with reaching_the_database():
            await self._database.execute(_INSERT, kept.key, account_id, kept.content_type, kept.size_bytes, kept.sha256)

    async def pages(self) -> AsyncIterator[list[ObjectRow]]:
        """All rows, in the order of their keys' bytes, some at a time."""
        after = ""
        while True:
            async with reaching_the_database():
                rows = await self._database.fetch(_PAGE, after, ROWS_AT_ONCE)
            if not rows:
                return
            yield [ObjectRow(row["key"], row["created_at"]) for row in rows]
            after = rows[-1]["key"]

    async def unnamed(self, owners: dict[str, str]) -> dict[str, bool]:
        """Of keys with the accounts in them: those that no row names, and whether we know the account.

        Named is also what is to be uploaded, and what a run that has not ended has put away.
        """
        async with reaching_the_database():
            rows = await self._database.fetch(_UNNAMED, list(owners), list(owners.values()))
        return {row["key"]: row["is_ours"] for row in rows}

    async def shown(self, keys: list[str]) -> dict[str, bool]:
        """Those that have a row, and whether a picture is made of it."""
        async with reaching_the_database():
            rows = await self._database.fetch(_SHOWN, keys)
        return {row["key"]: row["is_shown"] for row in rows}

    async def forget(self, keys: list[str]) -> list[str]:
        """Take away the rows that no picture is made of; answers their keys."""
        async with reaching_the_database():
            rows = await self._database.fetch(_FORGET, keys)
        return [row["key"] for row in rows]


_INSERT = """
    INSERT INTO objects (key, account_id, content_type, size_bytes, sha256) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (key) DO NOTHING"""
_PAGE = 'SELECT key, created_at FROM objects WHERE key COLLATE "C" > $1 ORDER BY key COLLATE "C" LIMIT $2'
_UNNAMED = """
    SELECT given.key, EXISTS (SELECT FROM accounts WHERE id = given.account_id) AS is_ours
    FROM unnest($1::text[], $2::text[]) AS given (key, account_id)
    WHERE NOT EXISTS (SELECT FROM objects WHERE objects.key = given.key)
      AND NOT EXISTS (SELECT FROM uploads WHERE uploads.key = given.key)
      AND NOT EXISTS (
        SELECT FROM runs JOIN provider_calls ON provider_calls.run_id = runs.id,
          json_array_elements(provider_calls.answer -> 'kept') AS made
        WHERE runs.finished_at IS NULL AND made ->> 'key' = given.key)"""
_IS_SHOWN = """(
    EXISTS (SELECT FROM renders WHERE object_key = objects.key)
    OR EXISTS (SELECT FROM render_variants WHERE object_key = objects.key)
    OR EXISTS (SELECT FROM artwork_pictures WHERE object_key = objects.key))"""
_SHOWN = f"SELECT key, {_IS_SHOWN} AS is_shown FROM objects WHERE key = ANY($1::text[])"
_FORGET = f"DELETE FROM objects WHERE key = ANY($1::text[]) AND NOT {_IS_SHOWN} RETURNING key"

"""Rows of `objects`: whose each stored object is, and what it holds."""

from __future__ import annotations

from canvas.store.postgres import Pool, reaching_the_database
from jobs.renders import KeptObject


class ObjectRows:
    def __init__(self, database: Pool) -> None:
        self._database = database

    async def insert(self, account_id: str, kept: KeptObject) -> None:
        async with reaching_the_database():
            await self._database.execute(_INSERT, kept.key, account_id, kept.content_type, kept.size_bytes, kept.sha256)


_INSERT = """
    INSERT INTO objects (key, account_id, content_type, size_bytes, sha256) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (key) DO NOTHING"""

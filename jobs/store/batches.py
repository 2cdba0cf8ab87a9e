"""Batches in PostgreSQL: what they are and what is in them. Their runs move in `jobs.store.runs` and `claims`."""

from __future__ import annotations

from canvas.errors import NotFound
from canvas.store.postgres import Pool, reaching_the_database
from jobs.batch import BatchRow
from jobs.run import Run
from jobs.store.rows import run_of


class BatchStore:
    def __init__(self, database: Pool) -> None:
        self._database = database

    async def get(self, batch_id: str, account_id: str) -> BatchRow:
        """Raises NotFound, also for somebody else's."""
        async with reaching_the_database():
            row = await self._database.fetchrow(_GET, batch_id, account_id)
        if row is None:
            raise NotFound("There is no such batch among yours.")
        return BatchRow(**row)

    async def runs_of(self, batch_id: str) -> list[tuple[int, Run]]:
        """With their places in it, in that order."""
        async with reaching_the_database():
            rows = await self._database.fetch(_RUNS, batch_id)
        return [(row["batch_place"], run_of(row)) for row in rows]


_GET = """
    SELECT id, kind, concurrency, created_at, finished_at, cancelled_at FROM batches
    WHERE id = $1 AND account_id = $2"""
_RUNS = "SELECT * FROM runs WHERE batch_id = $1 ORDER BY batch_place"

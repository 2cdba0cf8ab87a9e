"""Events in PostgreSQL. Only `turn.py` writes them: their numbers are drawn under the workflow's lock."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from canvas.store.postgres import Pool, reaching_the_database
from jobs.events import EventBody, RunEvent


class _Payload(msgspec.Struct):
    message: str
    progress: int | None = None
    data: dict[str, Any] | None = None


_payload = msgspec.json.Decoder(_Payload)


class PostgresEvents:
    def __init__(self, database: Pool) -> None:
        self._database = database

    async def of_run(self, run_id: str, after: int, limit: int) -> list[RunEvent]:
        async with reaching_the_database():
            return [_event(row) for row in await self._database.fetch(_OF_RUN, run_id, after, limit)]

    async def of_workflow(self, workflow_id: str, after: int, limit: int) -> list[RunEvent]:
        async with reaching_the_database():
            return [_event(row) for row in await self._database.fetch(_OF_WORKFLOW, workflow_id, after, limit)]

    async def workflow_of(self, run_id: str) -> str | None:
        async with reaching_the_database():
            workflow_id: str | None = await self._database.fetchval("SELECT subject_id FROM runs WHERE id = $1", run_id)
        return workflow_id

    async def is_over(self, run_id: str, after: int) -> bool:
        async with reaching_the_database():
            return await self._database.fetchval(_IS_OVER, run_id, after) is True


def _event(row: asyncpg.Record) -> RunEvent:
    payload = _payload.decode(row["payload"])
    body = EventBody(row["run_id"], row["ts"], row["kind"], payload.message, payload.progress, payload.data)
    return RunEvent(row["seq"], row["workflow_seq"], body)


_OF_RUN = """
    SELECT run_id, seq, workflow_seq, ts, kind, payload FROM run_events WHERE run_id = $1 AND seq > $2
    ORDER BY seq LIMIT $3"""
_OF_WORKFLOW = """
    SELECT run_id, seq, workflow_seq, ts, kind, payload FROM run_events WHERE workflow_id = $1 AND workflow_seq > $2
    ORDER BY workflow_seq LIMIT $3"""
_IS_OVER = "SELECT finished_at IS NOT NULL AND event_seq <= $2 FROM runs WHERE id = $1"

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


_AT_ONCE = 100  # runs of one statement: some thousand rows, found by their runs, and nobody waits for their locks

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


async def retire_events(database: Pool, keep_days: int) -> int:
    """JB42. Events of runs that ended before that, but the last of each, and notices of them that have ended.

    Any process may do it, several at once too; answers of how many runs. Raises Unavailable.
    """
    retired = 0
    while True:
        async with reaching_the_database():
            count = len(await database.fetch(_RETIRE, keep_days, _AT_ONCE))
        retired += count
        if count < _AT_ONCE:
            return retired


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
# The last one stays: whoever asks for a stream is told how the run ended, and the stream ends (JB20).
_RETIRE = """
    WITH old AS (
      SELECT id, event_seq FROM runs
      WHERE finished_at IS NOT NULL AND NOT events_retired AND finished_at < now() - make_interval(days => $1)
      ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED),
    events AS (DELETE FROM run_events USING old WHERE run_id = old.id AND seq < old.event_seq),
    told AS (DELETE FROM notices USING old WHERE run_id = old.id AND due_at IS NULL)
    UPDATE runs SET events_retired = true FROM old WHERE runs.id = old.id RETURNING runs.id"""

"""Runs that wait for a worker: the outbox that is emptied onto the doorbell, and those whose bell was lost."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, Protocol

from canvas.store.postgres import Pool, reaching_the_database
from jobs.store.batch_places import QUEUE

BATCH = 200
LOCK = 0x45415345_4C000001  # "EASEL": one reconciler at a time; the number means nothing else
LOST_AFTER_S = 10.0  # a bell that rang this long ago and hangs nowhere was lost


class Bell(NamedTuple):
    run_id: str
    rings: int
    """How often it has been rung; a bell with a new number is a new bell to the queue."""


class Doorbell(Protocol):
    async def ring(self, bells: list[Bell]) -> None:
        """Raises Unavailable when the queue is away."""

    async def hanging(self, bells: list[Bell]) -> set[Bell]:
        """Those that were rung and that no worker has answered yet. Raises Unavailable."""


class BellStore:
    def __init__(self, database: Pool, doorbell: Doorbell) -> None:
        self._database = database
        self._doorbell = doorbell

    async def ring(self) -> int:
        """Empty the outbox onto the doorbell; answers how many (at most BATCH). Raises Unavailable: the rows stay.

        A crash between ringing and the commit rings twice, and a second bell finds nothing to claim (JB4).
        """
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_WAITING, QUEUE, BATCH)
            if not rows:
                return 0
            rung = await connection.fetch(_RUNG, [row["run_id"] for row in rows])
            await connection.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", [row["id"] for row in rows])
            await self._doorbell.ring([Bell(row["id"], row["rings"]) for row in rung])
            return len(rows)

    async def find_lost(self, lost_after_s: float = LOST_AFTER_S) -> int:
        """Put runs whose worker or bell is gone back into the outbox; answers how many (JB14). Raises Unavailable.

        A bell that still hangs is left alone: a long queue must not grow because it is long.
        """
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
                return 0
            rows = await connection.fetch(_LOST, timedelta(seconds=lost_after_s), BATCH)
            if not rows:
                return 0
            bells = [Bell(row["id"], row["rings"]) for row in rows]
            hanging = {bell.run_id for bell in await self._doorbell.hanging(bells)}
            lost = [bell.run_id for bell in bells if bell.run_id not in hanging]
            await connection.execute(_SEEN, list(hanging))
            await connection.execute(_PUT_BACK, lost, QUEUE)
            return len(lost)


_WAITING = """
    SELECT outbox.id, outbox.run_id FROM outbox JOIN runs ON runs.id = outbox.run_id WHERE outbox.doorbell = $1
    AND outbox.ring_at <= clock_timestamp() ORDER BY outbox.id LIMIT $2 FOR UPDATE SKIP LOCKED"""
_RUNG = """
    UPDATE runs SET rings = rings + 1, rung_at = clock_timestamp() WHERE id = ANY($1::text[]) RETURNING id, rings"""
# A run whose lease has just ended is rung at once; after that, like a pending one, when its bell is old.
_LOST = """
    SELECT id, rings FROM runs WHERE (
      (status = 'pending' AND run_after <= now() AND coalesce(rung_at, started_at) < now() - $1::interval)
      OR (status = 'running' AND lease_until < now() AND (
        coalesce(rung_at, started_at) < lease_until OR rung_at < now() - $1::interval)))
    AND NOT EXISTS (SELECT FROM outbox WHERE outbox.run_id = runs.id)
    ORDER BY started_at, id LIMIT $2 FOR UPDATE SKIP LOCKED"""
_SEEN = "UPDATE runs SET rung_at = clock_timestamp() WHERE id = ANY($1::text[])"
_PUT_BACK = "INSERT INTO outbox (run_id, doorbell) SELECT unnest($1::text[]), $2"

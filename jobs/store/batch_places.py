"""How many runs of a batch go on at a time: places are given out where runs end, in the same transaction (BA2).

A run without a place is pending and due at no time. Whoever ends a run of a batch, whatever process it is, fills the
batch's free places before it commits, and the batch's row lock lets one at a time do so.
"""

from __future__ import annotations

from canvas.store.postgres import Connection

QUEUE = "runs"


async def fill(connection: Connection, batch_id: str) -> None:
    """Let the next ones go, and close the batch after its last. Locks the batch's row, after workflow, run, account."""
    concurrency = await connection.fetchval(_LOCK, batch_id)
    if concurrency is None:
        return
    await connection.execute(_LET_GO, batch_id, concurrency, QUEUE)
    await connection.execute(_FINISH, batch_id)


_LOCK = "SELECT concurrency FROM batches WHERE id = $1 FOR UPDATE"
# A statement of its own, after the lock: it sees what the one who held it before has committed. A run that somebody
# else has locked is passed over; if its place stays empty, the next look at all batches fills it.
_LET_GO = """
    WITH next AS MATERIALIZED (
      SELECT id FROM runs WHERE batch_id = $1 AND status = 'pending' AND run_after = 'infinity'
      ORDER BY batch_place LIMIT greatest(0, $2::int - (
        SELECT count(*) FROM runs
        WHERE batch_id = $1 AND status IN ('pending', 'running') AND run_after < 'infinity'))
      FOR UPDATE SKIP LOCKED),
    let_go AS (
      UPDATE runs SET run_after = clock_timestamp(), waits_for = NULL FROM next WHERE runs.id = next.id
      RETURNING runs.id)
    INSERT INTO outbox (run_id, doorbell) SELECT id, $3 FROM let_go"""
_FINISH = """
    UPDATE batches SET finished_at = clock_timestamp() WHERE id = $1 AND finished_at IS NULL
    AND NOT EXISTS (SELECT FROM runs WHERE batch_id = $1 AND status IN ('pending', 'running'))"""

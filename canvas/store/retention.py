"""What is kept no longer: logs that versions cover, answers to old pushes, workflows that stayed in the trash."""

from __future__ import annotations

from canvas.store.postgres import Pool, reaching_the_database

MIN_PUSH_DAYS = 30  # CONTRACT §5: so long a client may be away and still push each number once
_AT_ONCE = 5_000  # rows of one statement: a few milliseconds, and nobody waits for its locks


async def retire(pool: Pool, keep_days: int) -> None:
    """Take away what is older than `keep_days`. Any process may do it, several at once too. Raises Unavailable."""
    for query, days in ((_TRASH, keep_days), (_LOG, keep_days), (_PUSHES, max(keep_days, MIN_PUSH_DAYS))):
        async with reaching_the_database():
            while await pool.fetchval(query, days, _AT_ONCE) == _AT_ONCE:
                pass


_TRASH = """
    WITH gone AS (
      DELETE FROM workflows WHERE id = ANY(ARRAY(
        SELECT id FROM workflows WHERE deleted_at < now() - make_interval(days => $1)
        LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT count(*) FROM gone"""
_LOG = """
    WITH gone AS (
      DELETE FROM workflow_ops WHERE ctid = ANY(ARRAY(
        SELECT log.ctid FROM workflow_ops AS log JOIN workflows ON workflows.id = log.workflow_id
        WHERE log.at < now() - make_interval(days => $1) AND log.seq <= workflows.versioned_seq
        LIMIT $2)) RETURNING 1)
    SELECT count(*) FROM gone"""
_PUSHES = """
    WITH gone AS (
      DELETE FROM workflow_pushes WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM workflow_pushes WHERE at < now() - make_interval(days => $1) LIMIT $2)) RETURNING 1)
    SELECT count(*) FROM gone"""

"""What a migration does to tables that are in use (docs/ops/upgrades.md)."""

from __future__ import annotations

import re

from alembic import op


def build_index(statement: str) -> None:
    """`CREATE [UNIQUE] INDEX CONCURRENTLY name ON …`: writers go on meanwhile.

    Nothing else may be in the same migration: what came before is committed first. A build that was cut off leaves an
    index that is not used and costs every write: it is taken away, and built again.
    """
    found = re.fullmatch(r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY (\w+) ON .+", statement, re.DOTALL)
    if found is None:
        raise ValueError(f"{statement!r} builds no index concurrently")
    with op.get_context().autocommit_block():
        # It waits for transactions that are under way, and nobody waits for it.
        before = op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar()
        op.execute("SET lock_timeout = 0")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {found[1]}")
        op.execute(statement)
        op.execute(f"SET lock_timeout = '{before}'")


def lock_in_turn(*tables: str) -> None:
    """Have several tables to oneself, for changes that read no rows: `workflows` first, as servers that commit do.

    DROP CONSTRAINT of a reference locks the table that has it before the one it names, servers the other way round: one
    of the two would be ended as a deadlock, and it could be the server's. What changes tables one by one has no need of
    it, each in a transaction of its own.
    """
    op.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")

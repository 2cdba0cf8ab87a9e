"""What of a database is Easel's: the tables and functions that its migrations make, wherever else lives beside them."""

from __future__ import annotations

import re
from functools import cache

from app.database import APPLICATION
from app.revision import MIGRATIONS, newest_revision
from canvas.store.postgres import Connection

_TABLE, _FUNCTION = re.compile(r"CREATE TABLE (\w+)"), re.compile(r"CREATE FUNCTION (\w+)")
_REVISIONS = "alembic_version"


async def schema_of(connection: Connection) -> str | None:
    """PostgreSQL's schema in which the tables are, or would be made."""
    found: str | None = await connection.fetchval(
        """
        SELECT coalesce(
          (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('alembic_version')),
          current_schema())"""
    )
    return found


async def revision_of(connection: Connection) -> str | None:
    """None: there are no tables yet."""
    if not await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


async def is_unused(connection: Connection) -> bool:
    """Whether nobody has kept anything yet: no tables, or what `easel migrate` leaves."""
    if await revision_of(connection) is None:
        return await connection.fetchval("SELECT to_regclass('workflows') IS NULL") is True
    made = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM workflows) OR EXISTS (SELECT FROM runs) OR EXISTS (SELECT FROM objects)
          OR EXISTS (SELECT FROM accounts WHERE role <> 'owner') OR EXISTS (SELECT FROM api_tokens)"""
    )
    return made is False


async def at_work(connection: Connection) -> int:
    """Connections of servers and workers, by the name that they give themselves."""
    found: int = await connection.fetchval(
        """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()""",
        APPLICATION,
    )
    return found


async def removal(connection: Connection, schema: str) -> str:
    """Statements that take away what the migrations made, and nothing else."""
    tables, functions = own_names()
    rows = await connection.fetch(
        """
        SELECT format('DROP TABLE %I.%I CASCADE;', $1::text, relname) AS statement
        FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p') AND relname = ANY($2)
        UNION ALL
        SELECT format('DROP FUNCTION %s CASCADE;', oid::regprocedure)
        FROM pg_proc WHERE pronamespace = $1::text::regnamespace AND proname = ANY($3)""",
        schema, list(tables), list(functions),
    )  # fmt: skip
    return "\n".join(row["statement"] for row in rows)


@cache
def own_names() -> tuple[frozenset[str], frozenset[str]]:
    """Tables and functions, as the migrations up to this version's name them."""
    text = "".join(file.read_text() for file in sorted((MIGRATIONS / "versions").glob("[0-9]*.py")))
    return frozenset({*_TABLE.findall(text), _REVISIONS}), frozenset(_FUNCTION.findall(text))


def is_known(revision: str) -> bool:
    """Whether this version's migrations go that far."""
    return revision <= newest_revision()

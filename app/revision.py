"""Whether a database has the schema of this version.

Apart from what migrates, whose imports would make every start of a server and a worker half a second longer.
"""

from __future__ import annotations

from pathlib import Path

from app.settings import SettingsError
from canvas.store.postgres import Connection

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


class SchemaError(SettingsError):
    """One sentence: the schema is older or newer than the code, and what to do."""


def newest_revision() -> str:
    """The revision this code was written for."""
    return max(file.name.split("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


async def check_schema(connection: Connection) -> None:
    """Raises SchemaError unless the database has exactly the schema of this code, or a newer one."""
    exists = await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
    revision = await connection.fetchval("SELECT version_num FROM alembic_version") if exists else None
    if revision is None:
        raise SchemaError("The database is empty: run `easel migrate`.")
    if revision < newest_revision():
        raise SchemaError(f"The database's schema ({revision}) is older than the code: run `easel migrate`.")

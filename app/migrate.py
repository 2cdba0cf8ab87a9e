"""Brings a database to the schema of this version."""

from __future__ import annotations

from typing import Any

import asyncpg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.auth.accounts import ensure_owner
from app.revision import MIGRATIONS

_LOCK = 0x_EA5E1  # one migrator at a time, whichever server starts first


NEWEST = "head"


async def migrate(database_url: str, *, to: str = NEWEST) -> list[str]:
    """Apply what is missing, in one transaction a step, and make the owner's account; answers the revisions applied.

    `to`: an older revision, to try an upgrade from it. It gets no owner: the code knows the newest tables only.
    """
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(database_url, timeout=10), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            await connection.commit()
            applied = await connection.run_sync(_upgrade, to)
    finally:
        await engine.dispose()
    if to != NEWEST:
        return applied
    owner = await asyncpg.connect(database_url, timeout=10)
    try:
        await ensure_owner(owner)
    finally:
        await owner.close()
    return applied


def _upgrade(connection: SyncConnection, to: str) -> list[str]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory(str(MIGRATIONS))
    applied: list[str] = []

    def steps(revision: Any, _: MigrationContext) -> Any:
        found = scripts._upgrade_revs(to, revision)  # what alembic's own `upgrade` command calls
        applied.extend(str(step.revision.revision) for step in found)
        return found

    with EnvironmentContext(config, scripts, fn=steps) as environment:
        environment.configure(connection=connection, transaction_per_migration=True)
        environment.run_migrations()
        connection.commit()
    return applied

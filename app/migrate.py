"""Brings a database to the schema of this version."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
import structlog
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from app.auth.accounts import ensure_owner
from app.revision import MIGRATIONS
from app.settings import SettingsError

log = structlog.get_logger(__name__)

LOCK_WAIT_MS = 2000  # whoever comes after us on a table waits as long as we do: nobody notices two seconds
PATIENCE_S = 600.0  # for a backup, or a report, that has the table for a while
PAUSE_S, TURN_S = 1.0, 0.2
_LOCK_NOT_AVAILABLE, _DEADLOCK = "55P03", "40P01"
_LOCK = 0x_EA5E1  # one migrator at a time, whichever server starts first


NEWEST = "head"


async def migrate(database_url: str, *, to: str = NEWEST, patience_s: float = PATIENCE_S) -> list[str]:
    """Apply what is missing, in one transaction a step, and make the owner's account; answers the revisions applied.

    A table that somebody has is tried again and again, so that nobody has to wait behind us (UP5). Raises SettingsError
    after `patience_s`. `to`: an older revision, to try an upgrade from it. It gets no owner: the code knows the newest
    tables only.
    """
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(database_url, timeout=10), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            await _take_turn(connection)
            applied = await _upgrade_in_turn(connection, to, patience_s)
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


async def _take_turn(connection: AsyncConnection) -> None:
    """Asked again and again: a statement that waits holds a snapshot, for which an index built meanwhile would wait."""
    while not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
        await connection.commit()
        await asyncio.sleep(TURN_S)
    await connection.commit()


async def _upgrade_in_turn(connection: AsyncConnection, to: str, patience_s: float) -> list[str]:
    applied: list[str] = []
    deadline = time.monotonic() + patience_s
    while True:
        await connection.execute(text(f"SET lock_timeout = {LOCK_WAIT_MS}"))
        await connection.commit()
        try:
            await connection.run_sync(_upgrade, to, applied)
        except DBAPIError as error:
            await connection.rollback()
            if getattr(error.orig, "sqlstate", None) not in {_LOCK_NOT_AVAILABLE, _DEADLOCK}:
                raise
            if time.monotonic() > deadline:
                raise SettingsError(
                    "A table that has to be changed has been in use for minutes: look for long transactions in "
                    "pg_stat_activity, end them, and run `easel migrate` again."
                ) from error
            log.warning("migrate.waits", reason="somebody uses a table that is to be changed", again_in_s=PAUSE_S)
            await asyncio.sleep(PAUSE_S)
        else:
            return applied


def _upgrade(connection: SyncConnection, to: str, applied: list[str]) -> None:
    """Adds to `applied` step by step: what is done stays done when a later step has to wait."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory(str(MIGRATIONS))

    def steps(revision: Any, _: MigrationContext) -> Any:
        return scripts._upgrade_revs(to, revision)  # what alembic's own `upgrade` command calls

    def done(*_: Any, **what: Any) -> None:
        applied.append(str(what["step"].up_revision_id))

    with EnvironmentContext(config, scripts, fn=steps) as environment:
        environment.configure(connection=connection, transaction_per_migration=True, on_version_apply=done)
        environment.run_migrations()
        connection.commit()

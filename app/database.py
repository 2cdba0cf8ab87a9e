"""The pool of a process's connections to PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, TypeVar, cast

import asyncpg

from app.revision import check_schema
from app.settings import Settings, SettingsError, masked
from canvas.store.epochs import renew_if_moved
from canvas.store.postgres import Pool

Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])

POOL_SIZE = 16  # of PostgreSQL's usual 100 connections; a transaction here lasts a few milliseconds
CONNECT_TIMEOUT_S = 10
END_TIMEOUT_S = 5
APPLICATION = "easel"
"""What our connections are called in PostgreSQL (`pg_stat_activity`)."""


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Pool]:
    """Raises SettingsError for a database that cannot be reached, SchemaError for one that is not migrated."""
    if settings.database_url is None:
        raise SettingsError("EASEL_DATABASE_URL is not set. `easel up` brings its own; other commands need it.")
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            pool = await open_pool(settings.database_url)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        shown = masked("EASEL_DATABASE_URL", settings.database_url)
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingsError(f"PostgreSQL cannot be reached at {shown} ({reason}).") from error
    try:
        async with pool.acquire() as connection:
            await check_schema(connection)
            await renew_if_moved(connection)
        yield pool
    finally:
        await pool.close()


async def open_pool(url: str, max_size: int = POOL_SIZE) -> Pool:
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=max_size,
        command_timeout=30,
        connection_class=PooledConnection,
        reset=PooledConnection.end_what_failed,  # type: ignore[arg-type]  # its connections are of the class above
        server_settings={"application_name": APPLICATION},
    )


def _noting(method: Method) -> Method:
    @wraps(method)
    async def noted(connection: PooledConnection, *args: Any, **kwargs: Any) -> Any:
        try:
            return await method(connection, *args, **kwargs)
        except BaseException:
            connection.has_failed = True
            raise

    return cast(Method, noted)


class PooledConnection(asyncpg.Connection):
    """One that remembers that a statement failed, or was cancelled, since it was taken from the pool.

    asyncpg prepares a statement with Flush and leaves the Sync to its execution. When that never comes (an argument
    that cannot be encoded, a caller that was cancelled between the two) the server is left in a transaction that the
    driver knows nothing of: it keeps its snapshot and its locks, and refuses the next one an isolation level.
    """

    __slots__ = ("has_failed",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_failed = False

    execute = _noting(asyncpg.Connection.execute)
    executemany = _noting(asyncpg.Connection.executemany)
    fetch = _noting(asyncpg.Connection.fetch)
    fetchrow = _noting(asyncpg.Connection.fetchrow)
    fetchval = _noting(asyncpg.Connection.fetchval)

    async def end_what_failed(self) -> None:
        """At each release, and seldom a round trip: nothing else of ours outlives its transaction."""
        if self.has_failed:
            await self.execute("SELECT", timeout=END_TIMEOUT_S)  # a simple query ends what a Sync would have ended
            self.has_failed = False

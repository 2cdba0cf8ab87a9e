"""What a command works with: the settings, the database, or all that a server has. Each imports what it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from app.settings import Settings, SettingsError, masked, read_settings

if TYPE_CHECKING:
    from app.compose import Services
    from app.embedded.datadir import State

T = TypeVar("T")


def prepared() -> Settings:
    from app.observe.logs import set_up_logs

    found = read_settings()
    set_up_logs(found)
    return found


def database_url(found: Settings) -> str:
    """The database that is configured, or the one of the `easel up` that runs on this data folder."""
    if found.database_url:
        return found.database_url
    state = running(found)
    if state is None or not state.database_url:
        raise SettingsError("No database: start `easel up` in another terminal, or set EASEL_DATABASE_URL.")
    return state.database_url


def running(found: Settings) -> State | None:
    from app.embedded.datadir import read_state

    try:
        return read_state(found.data_dir)
    except NotADirectoryError:
        return None  # nothing runs on what is no folder


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """A database that is away, or has not our tables, is a sentence."""
    import asyncpg

    try:
        yield
    except asyncpg.UndefinedTableError as error:
        raise SettingsError("The database has not this version's tables: run `easel migrate`.") from error
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        shown, reason = masked("EASEL_DATABASE_URL", url), str(error).split("\n")[0] or type(error).__name__
        raise SettingsError(f"PostgreSQL cannot be used at {shown} ({reason}).") from error


def with_services(work: Callable[[Services], Awaitable[T]]) -> T:
    """With everything that a server has, and the databases of the `easel up` that runs on this data folder."""
    from app.compose import open_services

    found = prepared()
    state = running(found)
    redis_url = found.redis_url or (state.redis_url if state else None)
    settings = msgspec.structs.replace(found, database_url=database_url(found), redis_url=redis_url)

    async def opened() -> T:
        async with open_services(settings) as services:
            return await work(services)

    return asyncio.run(opened())


def with_database(work: Callable[[Any], Awaitable[T]]) -> T:
    url = database_url(prepared())

    async def connected() -> T:
        import asyncpg

        connection = await asyncpg.connect(url, timeout=10)
        try:
            return await work(connection)
        finally:
            await connection.close()

    with reaching(url):
        return asyncio.run(connected())

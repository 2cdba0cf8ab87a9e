"""Every check in the order in which people would put things right, whatever the others say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import asyncpg
import httpx
import msgspec
from redis.exceptions import RedisError

from app.doctor import database, edge, machine, queue, vendors
from app.doctor.findings import PATIENCE_S, Check, Finding, Ground, IllError, UnknownError
from app.embedded.datadir import State
from app.embedded.errors import StartError
from app.settings import Settings, SettingsError
from canvas.errors import EaselError

CHECKS: dict[str, Check] = {
    "data": machine.data,
    "disk": machine.disk,
    "files": machine.files,
    "database": database.answers,
    "role": database.role,
    "room": database.room,
    "writes": database.writes,
    "schema": database.schema,
    "redis": queue.answers,
    "queue": queue.keeps,
    "clock": database.clock,
    "worker": queue.worker,
    "storage": machine.storage,
    "page": machine.page,
    "public": edge.public,
    "origins": edge.origins,
    "proxies": edge.proxies,
    "secrets": edge.secrets,
    "issuer": edge.issuer,
    "providers": vendors.providers,
    "reports": edge.reports,
    "server": edge.server,
}


def now() -> datetime:
    return datetime.now(UTC)


async def examine(settings: Settings, state: State | None, clock: Callable[[], datetime] = now) -> list[Finding]:
    """`state`: of the `easel up` that runs on the data folder. `clock`: this machine's."""
    async with _ground(settings, state, clock) as ground:
        return [await _finding(name, check(ground)) for name, check in CHECKS.items()]


@asynccontextmanager
async def _ground(settings: Settings, state: State | None, clock: Callable[[], datetime]) -> AsyncIterator[Ground]:
    if state is not None and state.url and settings.port == 0:  # it has got one by now
        settings = msgspec.structs.replace(settings, port=urlsplit(state.url).port or 0)
    async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as http:
        bare = Ground(settings, state, None, None, http, clock)
        connection = await database.connected(bare.database_url) if bare.database_url else None
        redis = await queue.connected(bare.redis_url) if bare.redis_url else None
        try:
            yield bare._replace(database=connection, redis=redis)
        finally:
            if connection is not None:
                await connection.close()
            if redis is not None:
                await redis.aclose()


async def _finding(name: str, check: Awaitable[str]) -> Finding:
    try:
        return Finding("well", name, await check)
    except (IllError, StartError, SettingsError) as error:
        return Finding("ill", name, str(error))
    except UnknownError as error:
        return Finding("unknown", name, str(error))
    except EaselError as error:
        return Finding("ill", name, error.detail)
    except (OSError, RedisError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return Finding("ill", name, f"It went away while it was looked at ({type(error).__name__}): try again.")

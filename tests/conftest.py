"""Real PostgreSQL and Redis for every test that asks: started once a run, a migrated database for each test process.

Set EASEL_TEST_DATABASE_URL (a role that may create databases) and EASEL_TEST_REDIS_URL to use your own.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from redis.asyncio import Redis

from app.embedded.datadir import DataDir
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
from app.migrate import migrate
from app.settings import Settings, name_of
from canvas.ids import new_id
from canvas.store.postgres import Pool
from tests.lanes import Lanes, waiting_first

DATABASE, REDIS = "EASEL_TEST_DATABASE_URL", "EASEL_TEST_REDIS_URL"
DROP_TRIES = 50
MOST_BYTES = 4 << 30
"""Of databases and their write-ahead log, in a whole run."""
_started: list[EmbeddedPostgres | EmbeddedRedis] = []
_folder: tempfile.TemporaryDirectory[str] | None = None


def pytest_configure(config: pytest.Config) -> None:
    """In the process that was started by hand; its workers inherit the URLs."""
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    for name in map(name_of, Settings.__struct_fields__):  # a developer's own keys are no test's to spend
        os.environ.pop(name, None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of the many servers would compile all of Easel again
    global _folder  # noqa: PLW0603 - one run, one set of services
    _folder = tempfile.TemporaryDirectory(prefix="easel-tests-", dir=memory_disk())
    data = DataDir(Path(_folder.name))
    if DATABASE not in os.environ:
        postgres = EmbeddedPostgres(data)
        os.environ[DATABASE] = postgres.start()
        _started.append(postgres)
    if REDIS not in os.environ:
        redis = EmbeddedRedis(data)
        os.environ[REDIS] = redis.start()
        _started.append(redis)


def memory_disk() -> Path | None:
    """Where databases that outlive no run wait for no disk; None where there is too little room for them."""
    shared = Path("/dev/shm")
    has_room = shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free >= MOST_BYTES
    return shared if has_room and available_bytes() >= 2 * MOST_BYTES else None


def available_bytes() -> int:
    found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return int(found[1]) << 10 if found else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = waiting_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Lanes:
    return Lanes(config, log)


def pytest_unconfigure() -> None:
    for service in reversed(_started):
        service.stop(5.0)
    _started.clear()
    if _folder is not None:
        _folder.cleanup()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A migrated database for this test process, with the owner's account."""
    server, name = os.environ[DATABASE], new_id("test")
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    url = urlunsplit(urlsplit(server)._replace(path="/" + name))
    asyncio.run(migrate(url))
    yield url
    asyncio.run(drop_database(server, name))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Pool]:
    """Its connections. Tests share the database: make accounts and workflows of your own."""
    async with asyncpg.create_pool(database_url, min_size=1, max_size=12) as pool:
        yield pool


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis database for this test process."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1
    url = urlsplit(os.environ[REDIS])
    if url.scheme == "unix":
        return urlunsplit(url._replace(query=f"db={number}"))
    return urlunsplit(url._replace(path=f"/{number}"))


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """An empty one."""
    client = Redis.from_url(redis_url)
    await client.flushdb()
    yield client
    await client.aclose()


async def drop_database(server: str, name: str) -> None:
    """PostgreSQL's own vacuum may be in it just then, and may not be put out by its owner."""
    for _ in range(DROP_TRIES):
        with suppress(asyncpg.InsufficientPrivilegeError):
            await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{name} cannot be dropped")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

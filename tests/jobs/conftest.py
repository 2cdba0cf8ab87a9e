"""Runs are tested on a real PostgreSQL and Redis; provider and decoder are scripted where they are not the point."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from redis.asyncio import Redis

from canvas.ids import new_id
from canvas.store.postgres import Pool
from tests.jobs.world import World, open_world


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A migrated database for this test process."""
    server, name = os.environ["EASEL_TEST_DATABASE_URL"], new_id("easel_jobs")
    url = urlunsplit(urlsplit(server)._replace(path="/" + name))
    asyncio.run(_in(server, f"CREATE DATABASE {name}"))
    asyncio.run(_migrated(url))
    yield url
    asyncio.run(_in(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Pool]:
    await _in(database_url, "TRUNCATE accounts, workflows CASCADE")
    async with asyncpg.create_pool(database_url, min_size=1, max_size=12) as pool:
        yield pool


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    client = Redis.from_url(os.environ["EASEL_TEST_REDIS_URL"], db=int(worker) + 1)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture
async def world(database: Pool, redis: Redis, tmp_path: Path) -> World:
    return await open_world(database, redis, tmp_path / "objects")


async def _migrated(url: str) -> None:
    import importlib

    module = importlib.import_module("migrations.versions.0001_first_light")
    for statements in (module.ACCOUNTS, module.WORKFLOWS, module.RUNS, module.PICTURES):
        await _in(url, statements)


async def _in(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

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

from app.migrate import migrate
from canvas.ids import new_id
from canvas.store.postgres import Pool
from tests.conftest import drop_database
from tests.jobs.world import World, open_world


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """Not the one that all other tests share: these look at every run there is, and begin with none."""
    server, name = os.environ["EASEL_TEST_DATABASE_URL"], new_id("jobs")
    url = urlunsplit(urlsplit(server)._replace(path="/" + name))
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    asyncio.run(migrate(url))
    yield url
    asyncio.run(drop_database(server, name))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Pool]:
    await _execute(database_url, "TRUNCATE accounts, workflows CASCADE")
    async with asyncpg.create_pool(database_url, min_size=1, max_size=12) as pool:
        yield pool


@pytest.fixture
async def world(database: Pool, redis: Redis, tmp_path: Path) -> World:
    return await open_world(database, redis, tmp_path / "objects")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

"""An Easel whose database and store can be taken away under it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis

from canvas.ids import new_id
from tests.app.running import Person, Server, Worker, execute, free_port, some_name
from tests.conftest import DATABASE, drop_database


@contextmanager
def empty_database() -> Iterator[str]:
    host, name = os.environ[DATABASE], new_id("backup")
    asyncio.run(execute(host, f"CREATE DATABASE {name}"))
    yield urlunsplit(urlsplit(host)._replace(path="/" + name))
    asyncio.run(drop_database(host, name))


async def empty(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()


async def remember(redis_url: str, *keys: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.mset(dict.fromkeys(keys, "x"))


async def remembered(redis_url: str) -> set[bytes]:
    async with Redis.from_url(redis_url) as redis:
        return set(await redis.keys("*"))


class Site:
    """One Easel, whose database can be changed for another under it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment | {"EASEL_PORT": str(free_port())}
        self._running, self._people = ExitStack(), ExitStack()

    @property
    def objects(self) -> Path:
        return Path(self.environment["EASEL_DATA_DIR"]) / "objects"

    def serves(self) -> Server:
        server = Server(self.environment)
        self._running.callback(server.stop)
        return server

    def works(self) -> Worker:
        worker = Worker(self.environment)
        self._running.callback(worker.stop)
        return worker

    def person(self, server: Server) -> Person:
        person = Person(server, self.environment["EASEL_DATABASE_URL"], some_name())
        self._people.enter_context(person.http)
        return person

    def stops(self) -> None:
        """Servers and workers."""
        self._running.close()

    def ends(self) -> None:
        self.stops()
        self._people.close()

    def sql(self, query: str) -> list[dict[str, Any]]:
        return asyncio.run(execute(self.environment["EASEL_DATABASE_URL"], query))

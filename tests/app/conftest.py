"""A running Easel for the tests of the edge: a server and a worker of their own, on a database of their own."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from app.migrate import migrate
from canvas.ids import new_id
from tests.app.running import Person, Server, Worker, execute, some_name
from tests.conftest import DATABASE, REDIS, drop_database

FIRST_REDIS = 8  # the databases below are the other tests', whose runs our worker must not take


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """Not the one of the other tests: our worker would take their runs."""
    server, name = os.environ[DATABASE], new_id("edge")
    asyncio.run(execute(server, f"CREATE DATABASE {name}"))
    url = urlunsplit(urlsplit(server)._replace(path="/" + name))
    asyncio.run(migrate(url))
    yield url
    asyncio.run(drop_database(server, name))


@pytest.fixture(scope="session")
def redis_url() -> str:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + FIRST_REDIS
    url = urlsplit(os.environ[REDIS])
    if url.scheme == "unix":
        return urlunsplit(url._replace(query=f"db={number}"))
    return urlunsplit(url._replace(path=f"/{number}"))


@pytest.fixture(scope="session")
def environment(database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every process of this Easel is started with."""
    data: Path = tmp_path_factory.mktemp("data")
    return {"EASEL_DATABASE_URL": database_url, "EASEL_REDIS_URL": redis_url, "EASEL_DATA_DIR": str(data)}


@pytest.fixture(scope="module")
def own_environment(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A database, a Redis and a folder that no other worker looks at."""
    host, name = os.environ[DATABASE], new_id("own")
    asyncio.run(execute(host, f"CREATE DATABASE {name}"))
    url = urlunsplit(urlsplit(host)._replace(path="/" + name))
    asyncio.run(migrate(url))
    redis = re.sub(r"\d+$", lambda number: str(int(number[0]) + 3), redis_url)
    yield {
        "EASEL_DATABASE_URL": url,
        "EASEL_REDIS_URL": redis,
        "EASEL_DATA_DIR": str(tmp_path_factory.mktemp("own")),
        "EASEL_REQUESTS_PER_MINUTE": "100000",
    }
    asyncio.run(drop_database(host, name))


@pytest.fixture(scope="session")
def server(environment: dict[str, str]) -> Iterator[Server]:
    running = Server(environment)
    yield running
    assert running.stop(within_s=5) == 0
    assert "Traceback" not in running.text, running.text
    assert "[error" not in running.text, running.text


@pytest.fixture(scope="session")
def worker(environment: dict[str, str]) -> Iterator[Worker]:
    running = Worker(environment)
    yield running
    assert running.stop(within_s=5) == 0
    assert "Traceback" not in running.text, running.text


@pytest.fixture
def another_server(environment: dict[str, str]) -> Iterator[Callable[..., Server]]:
    """Starts servers with other settings, on the same database."""
    with ExitStack() as stack:

        def start(**settings: str) -> Server:
            running = Server(environment | settings)
            stack.callback(running.stop)
            return running

        yield start


@pytest.fixture
def newcomer(server: Server, database_url: str) -> Iterator[Callable[..., Person]]:
    """Makes people, each with an account of their own; `at`: of another server."""
    with ExitStack() as stack:

        def make(*, at: Server | None = None) -> Person:
            person = Person(at or server, database_url, some_name())
            stack.enter_context(person.http)
            return person

        yield make


@pytest.fixture
def person(newcomer: Callable[..., Person]) -> Person:
    return newcomer()


@pytest.fixture
def stranger(newcomer: Callable[..., Person]) -> Person:
    """Somebody who has been invited to nothing."""
    return newcomer()


@pytest.fixture
def nobody(server: Server) -> Iterator[httpx.Client]:
    """Not signed in."""
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as client:
        yield client


@pytest.fixture
def sql(database_url: str) -> Callable[..., list[dict[str, object]]]:
    """Runs a statement in this Easel's database."""

    def run(query: str, *values: object) -> list[dict[str, object]]:
        return asyncio.run(execute(database_url, query, *values))

    return run

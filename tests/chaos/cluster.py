"""`easel up` with two servers behind Caddy and two workers, as one process tree, and what may befall its parts."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import httpx
import pytest
from redis.asyncio import Redis

from app.embedded.datadir import DataDir, State, read_state
from tests.app.running import ADMIN_TOKEN, Process, free_port
from tests.begun import begin
from tests.chaos.installation import Installation
from tests.chaos.wire import Wire

T = TypeVar("T")
SERVERS, WORKERS = 2, 2
STOPPED_S = 3.0  # past a lease of two seconds
CUT_S = 2.0
BACK_S = 60


class Supervisor(Process):
    ready_s: ClassVar[float] = 90


class Cluster(Installation):
    """Everybody outside comes over `wire`; the proxy, servers, workers and databases are children of `easel up`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._data = DataDir(folder)
        self._threads = ThreadPoolExecutor(4, "cluster")
        self._port = free_port()
        self.wire = Wire(self._port)
        self._environment = {
            "EASEL_DATA_DIR": str(folder),
            "EASEL_ADMIN_TOKEN": ADMIN_TOKEN,
            "EASEL_PORT": str(self._port),
            "EASEL_SERVERS": str(SERVERS),
            "EASEL_WORKERS": str(WORKERS),
            "PATH": f"{caddys_folder()}:{os.environ['PATH']}",
        } | settings

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def start(self) -> None:
        await self.run(lambda: begin(self.folder))
        self.supervisor = await self.run(lambda: Supervisor("up", self._environment, "Easel is ready"))

    async def stop(self) -> None:
        await self.run(self.supervisor.stop)
        self._threads.shutdown()
        shutil.rmtree(self._data.socket_folder(), ignore_errors=True)

    @property
    def folder(self) -> Path:
        return self._data.path

    def state(self) -> State:
        state = read_state(self._data.path)
        assert state is not None
        return state

    # Installation

    @property
    def url(self) -> str:
        """The proxy's."""
        return f"http://127.0.0.1:{self._port}"

    def urls(self) -> list[str]:
        return self.state().servers

    @property
    def database_url(self) -> str:
        return self.state().database_url

    def logs(self) -> list[list[str]]:
        return [self.supervisor.log]

    # Hurting it

    def signal(self, name: str, number: signal.Signals) -> None:
        """To the whole group: PostgreSQL's own children, too. One that has just ended is being started again."""
        with suppress(ProcessLookupError):
            os.killpg(self.state().pids[name], number)

    async def restart_postgres(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.state().pids["PostgreSQL"], signal.SIGINT)  # its fast shutdown

    async def stop_a_while(self, name: str) -> None:
        pid = self.state().pids[name]
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(STOPPED_S)  # that is the fault, and no waiting for anything
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    async def flush_redis(self) -> None:
        with suppress(OSError):  # it may have been killed just now
            async with Redis.from_url(self.state().redis_url) as redis:
                await redis.flushall()

    async def until_back(self) -> None:
        """Every part answers again."""
        async with asyncio.timeout(BACK_S), httpx.AsyncClient(trust_env=False, timeout=5) as http:
            for url in (*self.urls(), self.url):
                while not await _is_healthy(http, url):  # noqa: ASYNC110 - other processes decide
                    await asyncio.sleep(0.1)


async def _is_healthy(http: httpx.AsyncClient, url: str) -> bool:
    with suppress(httpx.TransportError):
        return (await http.get(f"{url}/health")).status_code == 200
    return False


class Evil:
    """Every few seconds one of these happens, by the dice; what is killed is started again by `easel up`."""

    def __init__(self, cluster: Cluster, dice: random.Random, every_s: float) -> None:
        self._cluster = cluster
        self._dice = dice
        self._every_s = every_s
        self.counts: Counter[str] = Counter()
        servers = [f"easel serve {number + 1}" for number in range(SERVERS)]
        workers = [f"easel worker {number + 1}" for number in range(WORKERS)]
        self._ways: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = [
            *((f"{name} killed", self._killing(name)) for name in (*servers, *workers, "PostgreSQL", "Redis", "Caddy")),
            *((f"{name} stopped", self._stopping(name)) for name in (*servers, *workers)),
            ("PostgreSQL restarted", cluster.restart_postgres),
            ("Redis emptied", cluster.flush_redis),
            ("network cut", lambda: cluster.wire.cut(CUT_S)),
        ]

    async def go_on(self, lasts_s: float) -> None:
        """Each way once, in some order, then again."""
        clock = asyncio.get_running_loop().time
        end = clock() + lasts_s
        ways: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = []
        while clock() < end:
            ways = ways or self._dice.sample(self._ways, len(self._ways))
            name, way = ways.pop()
            self.counts[name] += 1
            async with asyncio.TaskGroup() as group:
                group.create_task(way())
                group.create_task(asyncio.sleep(self._every_s))

    def _killing(self, name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def kill() -> None:
            self._cluster.signal(name, signal.SIGKILL)

        return kill

    def _stopping(self, name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        return lambda: self._cluster.stop_a_while(name)


@asynccontextmanager
async def open_cluster(**settings: str) -> AsyncIterator[Cluster]:
    """Raises AssertionError when one of its servers met a bug of its own."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-cluster-")))
        cluster = Cluster(folder, **settings)
        await cluster.start()
        stack.push_async_callback(cluster.stop)
        await stack.enter_async_context(cluster.wire)
        yield cluster
        print(alarms := cluster.alarms(), end="")
        assert not alarms, "a server met a bug of its own"


def caddys_folder() -> str:
    """Of EASEL_TEST_CADDY, else of the one on PATH. Without one the test is skipped, and fails under CI."""
    caddy = os.environ.get("EASEL_TEST_CADDY") or shutil.which("caddy")
    if caddy:
        return str(Path(caddy).parent)
    reason = "there is no Caddy: `make test` installs one, or set EASEL_TEST_CADDY to its path"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

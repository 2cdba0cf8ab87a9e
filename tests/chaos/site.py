"""A whole installation that may be hurt: PostgreSQL, Redis and two servers, each a process of its own.

Whatever is killed is started again, as an operator's supervisor would: servers on the port they had.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from redis.asyncio import Redis

from app.embedded.datadir import DataDir
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.process import kill_group
from app.embedded.redis import EmbeddedRedis
from tests.app.running import ADMIN_TOKEN, Server, free_port
from tests.begun import begin
from tests.chaos.installation import Installation

T = TypeVar("T")
STARTS = 10  # a server whose database is away ends at once: its supervisor tries again


class OwnServer(Server):
    """One that may be killed, and that leaves nothing behind when it does not come up."""

    def __init__(self, environment: dict[str, str]) -> None:
        try:
            super().__init__(environment)
        except AssertionError:
            self.stop()
            raise

    def kill(self) -> None:
        self._process.kill()
        self.stop()

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) << 10


class Site(Installation):
    """Whatever blocks happens in threads that live as long as the site: the kernel ends children with theirs."""

    def __init__(self, folder: Path) -> None:
        data = DataDir(folder)
        self.postgres = EmbeddedPostgres(data)
        self.redis = EmbeddedRedis(data)
        self.servers: list[OwnServer] = []
        self.ports: list[int] = []
        self._logs: list[list[str]] = []
        self.environment = {"EASEL_DATA_DIR": str(folder), "EASEL_ADMIN_TOKEN": ADMIN_TOKEN}
        self._threads = ThreadPoolExecutor(4, "site")

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def start(self, servers: int, **settings: str) -> None:
        self.environment |= settings
        await self.run(lambda: begin(self.postgres.folder.parent))
        self.environment["EASEL_DATABASE_URL"] = await self.run(self.postgres.start)
        self.environment["EASEL_REDIS_URL"] = await self.run(self.redis.start)
        for _ in range(servers):
            self.ports.append(free_port())
            self.servers.append(await self.run(lambda: self._server(self.ports[-1])))

    def _server(self, port: int) -> OwnServer:
        for attempt in range(STARTS):
            try:
                server = OwnServer(self.environment | {"EASEL_PORT": str(port)})
            except AssertionError:
                if attempt == STARTS - 1:
                    raise
            else:
                self._logs.append(server.log)
                return server
        raise AssertionError

    async def stop(self) -> None:
        """All of it, whatever one of them does."""
        async with AsyncExitStack() as stack:
            stack.callback(shutil.rmtree, self.postgres.sockets, ignore_errors=True)
            stack.callback(self._threads.shutdown)
            for stop in (self.postgres.stop, self.redis.stop, *(server.stop for server in self.servers)):
                stack.push_async_callback(self._stop, stop)

    async def _stop(self, stop: Callable[[], object]) -> None:
        await self.run(stop)

    # Hurting it

    async def kill_server(self, number: int) -> None:
        await self.run(self.servers[number].kill)
        self.servers[number] = await self.run(lambda: self._server(self.ports[number]))

    async def kill_service(self, service: EmbeddedPostgres | EmbeddedRedis) -> None:
        kill(service)
        await self.run(service.start)

    def signal_redis(self, number: signal.Signals) -> None:
        assert self.redis.process is not None
        self.redis.process.send_signal(number)

    async def flush_redis(self) -> None:
        async with Redis.from_url(self.redis.url) as redis:
            await redis.flushall()

    # Looking at it

    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    @property
    def database_url(self) -> str:
        return self.postgres.url

    def logs(self) -> list[list[str]]:
        return self._logs


def kill(service: EmbeddedPostgres | EmbeddedRedis) -> None:
    """With everything that it has started, as when the power goes."""
    assert service.process is not None
    kill_group(service.process)


def at_a_site(scenario: Callable[[Site], Coroutine[Any, Any, T]], servers: int = 2, **settings: str) -> T:
    """A site of its own for one scenario; its servers must not meet a bug."""

    async def run() -> T:
        with tempfile.TemporaryDirectory(prefix="easel-chaos-") as folder:
            site = Site(Path(folder))
            try:
                await site.start(servers, **settings)
                result = await scenario(site)
                print(alarms := site.alarms(), end="")
                assert not alarms, "a server met a bug of its own"
            finally:
                await site.stop()
            return result

    return asyncio.run(run())

"""Real PostgreSQL and Redis processes, each test on a data folder of its own."""

import asyncio
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from app.embedded.datadir import DataDir
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis

# A supervisor in a process of its own: starts both, says their pids, then lives until it is killed.
SUPERVISOR = """
import json, os, signal, sys
from pathlib import Path
from app.embedded.datadir import DataDir
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
data = DataDir(Path(sys.argv[1]))
postgres, redis = EmbeddedPostgres(data), EmbeddedRedis(data)
urls = [postgres.start(), redis.start()]
print(json.dumps({"uid": os.geteuid(), "urls": urls, "pids": [postgres.process.pid, redis.process.pid]}), flush=True)
signal.pause()
"""


class Supervisor:
    def __init__(self, data: Path, prefix: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", SUPERVISOR, str(data)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.uid: int = said["uid"]
        self.urls: list[str] = said["urls"]
        self.pids: list[int] = said["pids"]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def wait_until_gone(pid: int, timeout_s: float = 10) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], timeout_s)[0], f"process {pid} still runs after {timeout_s} s"
    finally:
        os.close(descriptor)


def query(url: str, statement: str) -> list[str]:
    async def fetch() -> list[str]:
        connection = await asyncpg.connect(url)
        try:
            return [str(row[0]) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


@pytest.fixture(autouse=True)
def private_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Sockets live below the temporary folder; `tmp_path`, made before, is too long a path for one."""
    folder = Path(tempfile.mkdtemp(prefix="easel-test-"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data")


@pytest.fixture
def postgres(data: DataDir) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis(data: DataDir) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(data)
    server.start()
    yield server
    server.stop()

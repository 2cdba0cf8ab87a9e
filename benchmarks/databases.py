"""PostgreSQL and Redis for the benchmarks: Easel's embedded ones, durable as shipped, on a folder of their own."""

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec

from app.embedded.datadir import DataDir
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
from app.migrate import migrate
from benchmarks.errors import BenchmarkError


class Databases(msgspec.Struct, frozen=True):
    folder: Path
    database_url: str
    redis_url: str
    token: str
    postgres_pid: int
    postgres: str
    """Its version and what its commits wait for."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "EASEL_DATABASE_URL": self.database_url,
            "EASEL_REDIS_URL": self.redis_url,
            "EASEL_DATA_DIR": str(self.folder / "server"),
            "EASEL_ADMIN_TOKEN": self.token,
        }


@contextlib.contextmanager
def databases(work: Path) -> Iterator[Databases]:
    """New and empty for each run: an older run's tables may be of another version, and would weigh on this one."""
    with tempfile.TemporaryDirectory(prefix="databases-", dir=work) as folder:
        data = DataDir(Path(folder))
        postgres, redis = EmbeddedPostgres(data), EmbeddedRedis(data)
        try:
            database_url, redis_url = postgres.start(), redis.start()
            asyncio.run(migrate(database_url))
            assert postgres.process is not None
            yield Databases(
                folder=Path(folder),
                database_url=database_url,
                redis_url=redis_url,
                token=secrets.token_urlsafe(24),
                postgres_pid=postgres.process.pid,
                postgres=asyncio.run(_durability(database_url)),
            )
        finally:
            redis.stop()
            postgres.stop()


async def _durability(url: str) -> str:
    """Raises BenchmarkError when commits would not be durable: the numbers would be worth nothing."""
    connection = await asyncpg.connect(url)
    try:
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
        values = {name: await connection.fetchval(f"SHOW {name}") for name in names}
    finally:
        await connection.close()
    if (values["fsync"], values["synchronous_commit"]) != ("on", "on"):
        raise BenchmarkError(f"This PostgreSQL does not store durably ({values}): W6 would measure nothing.")
    return ", ".join(f"{name}={value}" for name, value in values.items())

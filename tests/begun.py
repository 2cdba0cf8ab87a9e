"""A data folder as the first `easel up` leaves it: making a PostgreSQL takes seconds, copying one does not."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from app.embedded.datadir import DataDir
from app.embedded.postgres import EmbeddedPostgres
from app.migrate import migrate


def begin(data: Path) -> None:
    """Puts a PostgreSQL with the newest schema into a data folder that has none."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(_first()), str(data / "postgres")], check=True)  # owners, too


@cache
def _first() -> Path:
    """Made once in each test process."""
    folder = Path(tempfile.mkdtemp(prefix="easel-begun-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    data = DataDir(folder)
    postgres = EmbeddedPostgres(data)
    try:
        asyncio.run(migrate(postgres.start()))
    finally:
        postgres.stop()
        data.socket_folder().rmdir()
    return postgres.folder

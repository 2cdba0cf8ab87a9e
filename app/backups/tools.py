"""PostgreSQL's own programs, `pg_dump`, `pg_restore` and `psql`: found in a version that fits, and run.

A database's password goes to them in the environment (PGPASSWORD): command lines can be read by everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from app.backups.contents import BackupError
from app.embedded.errors import StartError
from app.embedded.postgres import find_binaries

PROGRAMS = ("pg_dump", "pg_restore", "psql")
DEBIAN = Path("/usr/lib/postgresql")
_CHUNK_BYTES = 256 * 1024
# pg_restore from 17 on writes it whatever it is for, and an older server does not know it.
_TOO_NEW, _KNOWN_FROM = b"SET transaction_timeout = 0;\n", 17


class Tools(NamedTuple):
    folder: Path
    major: int


def find_tools(server: int) -> Tools:
    """Those nearest to a server of major version `server`, and no older. Raises BackupError with the cure."""
    found = [Tools(folder, major) for folder in _folders() if (major := _major(folder)) is not None]
    fitting = sorted((tools for tools in found if tools.major >= server), key=lambda tools: tools.major)
    if fitting:
        return fitting[0]
    which = f"only those of {', '.join(sorted({str(tools.major) for tools in found}))} are" if found else "none are"
    raise BackupError(
        f"The database is PostgreSQL {server}, and its programs {', '.join(PROGRAMS)} of that version or a newer one "
        f"are needed on PATH; {which} here: install postgresql-client-{server} (Debian, Ubuntu) or libpq (Homebrew)."
    )


async def dump(tools: Tools, url: str, file: Path, *, schema: str, snapshot: str) -> None:
    """Write `schema` as it is in `snapshot`. Raises BackupError with what pg_dump says."""
    words = ["--format=custom", "--no-owner", "--no-privileges", f'--schema="{schema}"', f"--snapshot={snapshot}"]
    target, environment = addressed(url)
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            tools.folder / "pg_dump", *words, f"--file={file}", f"--dbname={target}",
            env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
        async with _ended(process):
            if await process.wait() != 0:
                raise BackupError(f"pg_dump could not read the database: {_reason(said)}")


async def restore(tools: Tools, url: str, file: Path, *, schema: str, before: str, after: str, server: int) -> None:
    """`before`, the dump's `schema` and `after`, in one transaction: all of it or nothing.

    Raises BackupError with what pg_restore or psql says.
    """
    target, environment = addressed(url)
    words = ["--no-owner", "--no-privileges", f"--schema={schema}", "--file=-", str(file)]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as answered:
        reader = await asyncio.create_subprocess_exec(
            tools.folder / "pg_restore", *words,
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip
        async with _ended(reader):
            writer = await asyncio.create_subprocess_exec(
                tools.folder / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={target}",
                env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=answered,
            )  # fmt: skip
            async with _ended(writer):
                assert writer.stdin is not None
                # psql ends early when a statement fails; what it says is read below.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    writer.stdin.write(f"BEGIN;\n{before}\n".encode())
                    await _pour(reader, writer.stdin, server)
                    # Without COMMIT a script that was cut off changes nothing.
                    if await reader.wait() == 0:
                        writer.stdin.write(f"\n{after}\nCOMMIT;\n".encode())
                    writer.stdin.close()
                    await writer.stdin.wait_closed()
                if await writer.wait() != 0:
                    raise BackupError(f"PostgreSQL did not take the backup, and is as it was: {_reason(answered)}")
            if await reader.wait() != 0:
                raise BackupError(f"pg_restore could not read the backup, nothing was changed: {_reason(said)}")


async def _pour(reader: asyncio.subprocess.Process, writer: asyncio.StreamWriter, server: int) -> None:
    assert reader.stdout is not None
    while chunk := await reader.stdout.read(_CHUNK_BYTES):
        if server < _KNOWN_FROM:  # in the first few lines, which pg_restore writes at once
            chunk = chunk.replace(_TOO_NEW, b"", 1)
            server = _KNOWN_FROM
        writer.write(chunk)
        await writer.drain()


@contextlib.asynccontextmanager
async def _ended(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """Nothing of ours is left running, however this ends."""
    try:
        yield
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def addressed(url: str) -> tuple[str, dict[str, str]]:
    """What a program is told on its command line, and its environment, in which the password is."""
    parts = urlsplit(url)
    environment = os.environ | {"LC_ALL": "C"}
    if parts.password is not None:
        environment["PGPASSWORD"] = unquote(parts.password)
        user, _, host = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user.partition(':')[0]}@{host}")
    return urlunsplit(parts), environment


def _reason(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    wrong = [line for line in lines if "error" in line.lower()] or lines or ["it says nothing"]
    return wrong[0].rstrip(".") + "."


def _folders() -> Iterator[Path]:
    """PATH first, then where Debian keeps each version, then what easel[embedded] brings along."""
    on_path = shutil.which("pg_dump")
    if on_path is not None:
        yield Path(on_path).parent
    if DEBIAN.is_dir():
        yield from (version / "bin" for version in sorted(DEBIAN.iterdir()))
    with contextlib.suppress(StartError):
        yield find_binaries()


def _major(folder: Path) -> int | None:
    if not all((folder / program).exists() for program in PROGRAMS):
        return None
    shown = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r"\(PostgreSQL\) (\d+)", shown.stdout)
    return int(found[1]) if found else None

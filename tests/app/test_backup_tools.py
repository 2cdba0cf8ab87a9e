"""What a backup needs besides Easel: PostgreSQL's programs in a version that fits, and a store, whichever it is."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from obstore.store import LocalStore

from app.backups import tools
from app.backups.contents import BackupError
from app.backups.taking import take_backup
from app.backups.tools import PROGRAMS, addressed, find_tools
from app.embedded.errors import StartError
from app.migrate import migrate
from jobs.objects.store import Objects
from tests.app.running import execute
from tests.app.sites import empty_database
from tests.app.test_cli import easel
from tests.jobs.objects.stores import KEY, rclone

Install = Callable[[str, int], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """A machine with none of them; makes some of a version, on PATH or where Debian keeps several."""

    def none() -> Path:
        raise StartError("The embedded PostgreSQL is not installed.")

    monkeypatch.setattr(tools, "find_binaries", none)
    monkeypatch.setattr(tools, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))

    def make(where: str, version: int) -> Path:
        folder = tmp_path / "path" if where == "path" else tmp_path / "debian" / str(version) / "bin"
        folder.mkdir(parents=True)
        for program in PROGRAMS:
            (folder / program).write_text(f"#!/bin/sh\necho '{program} (PostgreSQL) {version}.3 (Some 1)'\n")
            (folder / program).chmod(0o700)
        return folder

    return make


def test_missing_programs_are_said_with_the_cure(install: Install) -> None:
    """BK10"""
    with pytest.raises(BackupError, match=r"PostgreSQL 17.*none are here: install postgresql-client-17") as error:
        find_tools(17)
    assert "pg_dump, pg_restore, psql" in str(error.value)


def test_programs_that_are_older_than_the_server_are_said(install: Install) -> None:
    """BK10: none of them would read all that is there"""
    install("path", 15)
    install("debian", 16)

    with pytest.raises(BackupError, match="only those of 15, 16 are here: install postgresql-client-17"):
        find_tools(17)


def test_the_nearest_version_is_taken(install: Install) -> None:
    """BK10: what a much newer pg_restore writes, an old server may not know"""
    install("path", 18)
    fitting = install("debian", 16)

    assert find_tools(16) == (fitting, 16)
    assert find_tools(17).major == 18


def test_half_an_installation_is_none(install: Install) -> None:
    """BK10: `pg_dump` alone brings nothing back"""
    (install("path", 18) / "psql").unlink()

    with pytest.raises(BackupError, match="none are here"):
        find_tools(18)


def test_passwords_are_on_no_command_line() -> None:
    """BK10"""
    target, environment = addressed("postgresql://me:p%40ss%2Fword@db.example.com:5433/easel?sslmode=require")

    assert target == "postgresql://me@db.example.com:5433/easel?sslmode=require"
    assert environment["PGPASSWORD"] == "p@ss/word"
    assert (
        addressed("postgresql://me@/easel?host=/tmp/x&port=5432")[0] == "postgresql://me@/easel?host=/tmp/x&port=5432"
    )


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, bytes]:
    """By key, in the folder of a data folder."""
    made = {f"originals/acc/{n}-{n:064x}.png": bytes([n]) * (n * 1000 + 1) for n in range(20)}
    for key, content in made.items():
        (tmp_path / "data" / "objects" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "objects" / key).write_bytes(content)
    return made


async def write_down(url: str, pictures: dict[str, bytes]) -> None:
    await execute(url, "INSERT INTO accounts (id, name, color, role) VALUES ('acc', 'A', '#000000', 'member')")
    columns = "key, account_id, content_type, size_bytes, sha256"
    for key, content in pictures.items():
        values = (key, "image/png", len(content), hashlib.sha256(content).digest())
        await execute(url, f"INSERT INTO objects ({columns}) VALUES ($1, 'acc', $2, $3, $4)", *values)


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "rclone").mkdir()
    with rclone(tmp_path / "rclone") as url:
        yield url


class Watchful(Objects):
    """A store that, whenever it is asked for an object, takes the tables for itself."""

    def __init__(self, folder: Path, database_url: str) -> None:
        super().__init__(LocalStore(folder))
        self._database_url = database_url

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes] | None:
        taking = "DO $$ BEGIN LOCK TABLE objects IN ACCESS EXCLUSIVE MODE NOWAIT; END $$"
        await execute(self._database_url, taking)
        return await super().open(key, start, end)


def test_tables_are_free_while_pictures_are_copied(pictures: dict[str, bytes], tmp_path: Path) -> None:
    """BK1: for migrations, and for what cleans up"""
    key = next(iter(pictures))
    with empty_database() as url:
        asyncio.run(migrate(url))
        asyncio.run(write_down(url, {key: pictures[key]}))

        manifest, _ = asyncio.run(take_backup(url, Watchful(tmp_path / "data" / "objects", url), tmp_path / "copy"))

    assert (manifest.objects, manifest.missing) == (1, ())
    assert (tmp_path / "copy" / "objects" / key).read_bytes() == pictures[key]


def test_pictures_move_from_a_folder_to_a_bucket_and_back(
    pictures: dict[str, bytes], bucket: str, redis_url: str, tmp_path: Path
) -> None:
    """BK11: a backup of one store is put back into another"""
    here = {"EASEL_DATA_DIR": str(tmp_path / "data"), "EASEL_REDIS_URL": redis_url}
    in_bucket = here | KEY | {"EASEL_STORAGE_URL": bucket}

    with empty_database() as first, empty_database() as second, empty_database() as third:
        asyncio.run(migrate(first))
        asyncio.run(write_down(first, pictures))
        assert easel("backup", str(tmp_path / "1.tar"), EASEL_DATABASE_URL=first, **here).returncode == 0

        into = easel("restore", str(tmp_path / "1.tar"), EASEL_DATABASE_URL=second, **in_bucket)
        again = easel("backup", str(tmp_path / "2"), EASEL_DATABASE_URL=second, **in_bucket)
        back = easel(
            "restore", str(tmp_path / "2"), EASEL_DATABASE_URL=third, **here | {"EASEL_DATA_DIR": str(tmp_path / "new")}
        )

    assert (into.returncode, again.returncode, back.returncode) == (0, 0, 0), (into.stderr, again.stderr, back.stderr)
    assert "20 objects put into s3://" in into.stdout
    folder = tmp_path / "new" / "objects"
    assert {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*.png")} == pictures

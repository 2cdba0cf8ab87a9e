import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from app.embedded.datadir import DataDir
from app.embedded.errors import StartError
from app.embedded.postgres import EmbeddedPostgres
from tests.app.embedded.conftest import query, wait_until_gone

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root's own ways of starting PostgreSQL")


def test_data_outlives_a_restart(postgres: EmbeddedPostgres) -> None:
    query(postgres.url, "CREATE TABLE kept AS SELECT 42 AS answer")

    postgres.stop()
    assert not postgres.is_alive()
    postgres.start()

    assert query(postgres.url, "SELECT answer FROM kept") == ["42"]


def test_settings_are_safe_and_the_socket_is_the_only_door(postgres: EmbeddedPostgres) -> None:
    def show(name: str) -> str:
        return query(postgres.url, f"SHOW {name}")[0]

    assert (show("fsync"), show("synchronous_commit"), show("listen_addresses")) == ("on", "on", "")
    assert (show("server_encoding"), show("max_connections")) == ("UTF8", "200")
    assert query(postgres.url, "SELECT datlocale FROM pg_database WHERE datname = 'easel'") == ["C.UTF-8"]
    assert stat.S_IMODE(postgres.sockets.stat().st_mode) == 0o700


def test_easel_is_no_superuser_but_may_make_databases(postgres: EmbeddedPostgres) -> None:
    assert query(postgres.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == ["False"]
    assert query(postgres.url, "CREATE DATABASE another") == []


def test_committed_rows_outlive_a_killed_postmaster(postgres: EmbeddedPostgres) -> None:
    query(postgres.url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    assert postgres.process is not None

    os.kill(postgres.process.pid, signal.SIGKILL)
    postgres.process.wait()
    assert not postgres.is_alive()
    postgres.start()

    assert query(postgres.url, "SELECT count(*) FROM kept") == ["1000"]


def test_pid_file_whose_pid_another_program_got_is_no_obstacle(postgres: EmbeddedPostgres) -> None:
    pid_file = postgres.folder / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.stop()

    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        postgres.start()

        assert query(postgres.url, "SELECT 1") == ["1"]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("content", ["", "junk\n"])
def test_cut_off_pid_file_is_no_obstacle(postgres: EmbeddedPostgres, content: str) -> None:
    postgres.stop()
    (postgres.folder / "postmaster.pid").write_text(content)

    postgres.start()

    assert postgres.is_alive()


def test_server_that_a_killed_supervisor_left_is_ended_first(postgres: EmbeddedPostgres, data: DataDir) -> None:
    query(postgres.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert postgres.process is not None
    successor = EmbeddedPostgres(data)

    successor.start()

    wait_until_gone(postgres.process.pid)
    assert query(successor.url, "SELECT answer FROM kept") == ["42"]
    successor.stop()


def test_folder_of_another_major_version_is_refused(data: DataDir) -> None:
    data.folder("postgres").joinpath("PG_VERSION").write_text("16\n")

    with pytest.raises(StartError, match="was made by PostgreSQL 16 and this Easel carries 18"):
        EmbeddedPostgres(data).start()


def test_interrupted_making_of_the_folder_is_made_anew(data: DataDir) -> None:
    data.folder("postgres.new").joinpath("PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(data)

    server.start()

    assert query(server.url, "SELECT 1") == ["1"]
    server.stop()


def test_damaged_folder_is_told_with_what_postgres_says(data: DataDir) -> None:
    data.folder("postgres").joinpath("PG_VERSION").write_text("18\n")

    with pytest.raises(StartError, match=r"PostgreSQL did not start; .*postgres.log says:\n"):
        EmbeddedPostgres(data).start()


@needs_root
def test_root_without_user_namespaces_lends_the_uid_of_nobody(
    data: DataDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's usual limits; then back to user namespaces on the same data."""
    refusing = tmp_path / "bin" / "unshare"
    refusing.parent.mkdir()
    refusing.write_text("#!/bin/sh\nexit 1\n")
    refusing.chmod(0o755)
    server = EmbeddedPostgres(data)

    with monkeypatch.context() as limited:
        limited.setenv("PATH", f"{refusing.parent}:{os.environ['PATH']}")
        server.start()
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert server.process is not None
        assert Path(f"/proc/{server.process.pid}").stat().st_uid == 65534
        server.stop()
    server.start()

    assert query(server.url, "SELECT answer FROM kept") == ["42"]
    assert {path.stat().st_uid for path in server.folder.rglob("*")} == {0}
    server.stop()

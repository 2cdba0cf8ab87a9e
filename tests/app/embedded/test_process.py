"""What a supervisor's own death, and the account it runs under, do to the databases."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.embedded.process import command_line, is_running
from tests.app.embedded.conftest import Supervisor, query, wait_until_gone

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
AS_ORDINARY_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


@on_linux
def test_killed_supervisor_takes_the_databases_with_it_and_the_next_one_has_the_data(tmp_path: Path) -> None:
    first = Supervisor(tmp_path / "data")
    query(first.urls[0], "CREATE TABLE kept AS SELECT 42 AS answer")

    first.kill()
    for pid in first.pids:
        wait_until_gone(pid)

    second = Supervisor(tmp_path / "data")
    assert query(second.urls[0], "SELECT answer FROM kept") == ["42"]
    second.kill()


@on_linux
@pytest.mark.skipif(os.geteuid() != 0, reason="root's second way")
def test_killed_supervisor_takes_the_databases_with_it_where_user_namespaces_are_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    supervisor = Supervisor(tmp_path / "data")
    assert Path(f"/proc/{supervisor.pids[0]}").stat().st_uid == 65534

    supervisor.kill()

    for pid in supervisor.pids:
        wait_until_gone(pid)


@on_linux
@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_ordinary_user_needs_no_help(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "data", AS_ORDINARY_USER)

    assert supervisor.uid == 1000
    assert all("--map-user" not in command_line(pid) for pid in supervisor.pids)
    supervisor.kill()
    for pid in supervisor.pids:
        wait_until_gone(pid)


@on_linux
@pytest.mark.skipif(os.geteuid() != 0, reason="root may write anywhere")
def test_ordinary_user_is_told_of_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    script = (
        "import sys; from pathlib import Path; from app.embedded.datadir import DataDir; DataDir(Path(sys.argv[1]))"
    )

    done = subprocess.run(
        [*AS_ORDINARY_USER, sys.executable, "-c", script, str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "cannot be written to (Permission denied): set EASEL_DATA_DIR" in done.stderr


@on_linux
def test_no_folder_above_the_data_or_the_programs_changes_its_mode(tmp_path: Path) -> None:
    watched = [*(tmp_path / "data").parents, *Path(sys.prefix).parents, *Path(sys.base_prefix).parents]
    accounts = Path("/etc/passwd").read_bytes()
    before = [stat.S_IMODE(path.stat().st_mode) for path in watched]

    supervisor = Supervisor(tmp_path / "data")
    supervisor.kill()
    for pid in supervisor.pids:
        wait_until_gone(pid)

    assert [stat.S_IMODE(path.stat().st_mode) for path in watched] == before
    assert Path("/etc/passwd").read_bytes() == accounts


def test_dead_process_that_nobody_reaped_counts_as_gone() -> None:
    process = subprocess.Popen(["sleep", "60"])
    assert is_running(process.pid)

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert not is_running(process.pid)
    assert command_line(process.pid) == ""
    process.wait()
    assert not is_running(process.pid)

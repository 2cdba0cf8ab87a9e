"""`easel up` as people run it: a real command, real databases, real signals."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded.datadir import State, read_state
from tests.app.embedded.conftest import query, wait_until_gone
from tests.begun import begin

COMMAND = [sys.executable, "-m", "app.cli", "up"]
READY = re.compile(r"Easel is ready: (http://127\.0\.0\.1:\d+)/login\?token=\S+\n")
SERVICES = ["PostgreSQL", "Redis", "easel serve", "easel worker"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="waits for processes that are not its children")


def environment(data: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EASEL_")}
    return kept | {"EASEL_DATA_DIR": str(data), "EASEL_PORT": "0"} | settings


class RunningEasel:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.process = subprocess.Popen(
            COMMAND, env=environment(data), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said: list[str] = []
        watchdog = threading.Timer(60, self.process.terminate)  # or a failed start would be waited for without end
        watchdog.start()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if READY.fullmatch(line):
                break
        watchdog.cancel()
        assert self.said, "easel up ended without a word"
        ready = READY.fullmatch(self.said[-1])
        assert ready, self.said
        self.url = ready[1]

    def state(self) -> State:
        state = read_state(self.data)
        assert state is not None
        return state

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        self.process.communicate(timeout=10)
        return self.process.returncode


@pytest.fixture
def easel(tmp_path: Path) -> Iterator[RunningEasel]:
    begin(tmp_path / "data")
    running = RunningEasel(tmp_path / "data")
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGTERM)


def refused(data: Path, **settings: str) -> str:
    """What `easel up` says when it does not even start."""
    done = subprocess.run(
        COMMAND, env=environment(data, **settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stderr


def test_everything_runs_when_the_ready_line_is_printed(tmp_path: Path) -> None:
    """From nothing; the others have a PostgreSQL already."""
    easel = RunningEasel(tmp_path / "data")
    state = easel.state()

    assert sorted(state.pids) == SERVICES
    assert state.url == easel.url
    assert query(state.database_url, "SELECT 1") == ["1"]
    assert easel.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_everything_within_three_seconds(easel: RunningEasel, how: signal.Signals) -> None:
    state = easel.state()
    began = time.monotonic()

    assert easel.end(how) == 0

    for pid in state.pids.values():
        wait_until_gone(pid, 3 - (time.monotonic() - began))
    assert read_state(easel.data) is None


def test_killed_supervisor_leaves_nothing_behind_and_the_next_one_has_the_data(easel: RunningEasel) -> None:
    state = easel.state()
    query(state.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")

    easel.end(signal.SIGKILL)

    for pid in state.pids.values():
        wait_until_gone(pid)
    assert read_state(easel.data) is None
    second = RunningEasel(easel.data)
    assert query(second.state().database_url, "SELECT answer FROM kept") == ["42"]
    assert second.end(signal.SIGTERM) == 0


def test_killed_service_is_started_again_and_said_so_in_one_line(easel: RunningEasel) -> None:
    assert easel.process.stdout is not None
    for service in reversed(SERVICES):  # what others stand on comes last
        state = easel.state()
        os.kill(state.pids[service], signal.SIGKILL)
        said = next(line for line in easel.process.stdout if "service_ended" in line)

        assert service in said
        assert "exit_code=-9" in said or '"exit_code":-9' in said.replace(" ", "")
        deadline = time.monotonic() + 10
        while easel.state().pids[service] == state.pids[service]:
            assert time.monotonic() < deadline
            os.sched_yield()


def test_second_easel_on_one_data_folder_is_refused(easel: RunningEasel) -> None:
    assert "Easel already runs on the data folder" in refused(easel.data)


def test_server_and_worker_are_restarted_when_asked(easel: RunningEasel) -> None:
    """Under two servers: tests/chaos/test_rolling.py."""
    before = easel.state().pids
    asking = [*COMMAND[:-1], "restart"]
    asked = subprocess.run(asking, env=environment(easel.data), capture_output=True, text=True, check=False)

    assert asked.returncode == 0, asked.stderr
    assert easel.process.stdout is not None
    assert any("Everything has been restarted." in line for line in easel.process.stdout)
    after = easel.state().pids
    assert {name for name in SERVICES if before[name] != after[name]} == {"easel serve", "easel worker"}


def test_nothing_to_restart_is_said(tmp_path: Path) -> None:
    asking = [*COMMAND[:-1], "restart"]
    asked = subprocess.run(asking, env=environment(tmp_path), capture_output=True, text=True, check=False)

    assert (asked.returncode, asked.stderr) == (2, "Error: No `easel up` runs on this data folder.\n")


def test_several_servers_without_a_proxy_are_refused(tmp_path: Path) -> None:
    python = str(Path(sys.executable).parent)

    said = refused(tmp_path / "data", EASEL_SERVERS="2", PATH=python)

    assert "there is no `caddy` on PATH" in said
    assert "EASEL_SERVERS=1" in said


def test_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        said = refused(tmp_path / "data", EASEL_PORT=port)

    assert f"Easel cannot listen on 127.0.0.1:{port} (Address already in use)" in said
    assert not (tmp_path / "data" / "postgres").exists()


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "cannot be written to" in refused(tmp_path / "file" / "data")


@pytest.mark.parametrize("url", ["postgresql://easel:secret@127.0.0.1:1/easel", "mysql://easel:secret@localhost/easel"])
def test_wrong_database_url_is_refused_without_showing_its_password(tmp_path: Path, url: str) -> None:
    said = refused(tmp_path / "data", EASEL_DATABASE_URL=url)

    assert "EASEL_DATABASE_URL" in said
    assert "secret" not in said


@pytest.mark.parametrize("url", ["redis://:secret@127.0.0.1:1/0", "http://:secret@localhost"])
def test_wrong_redis_url_is_refused_without_showing_its_password(tmp_path: Path, url: str) -> None:
    said = refused(tmp_path / "data", EASEL_REDIS_URL=url)

    assert "EASEL_REDIS_URL" in said
    assert "secret" not in said


def test_state_file_is_readable_by_other_programs(easel: RunningEasel) -> None:
    written = json.loads((easel.data / "state.json").read_text())

    assert sorted(written) == ["databaseUrl", "pids", "redisUrl", "servers", "supervisor", "url"]
    assert written["servers"] == [written["url"]]

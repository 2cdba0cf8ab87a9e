"""The data folder: made private, held by one supervisor at a time, and telling other commands what runs on it."""

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from app.embedded.errors import StartError

SOCKET_PATH_LIMIT = 100  # the kernel's is 104 (macOS) to 108 (Linux), with the socket's own name included
LONGEST_SOCKET_NAME = "/.s.PGSQL.5432"


class State(msgspec.Struct, frozen=True, rename="camel"):
    """What a running `easel up` tells other commands. `url` is empty until the server answers."""

    supervisor: int
    database_url: str
    redis_url: str
    url: str = ""
    pids: dict[str, int] = msgspec.field(default_factory=dict)
    servers: list[str] = msgspec.field(default_factory=list)
    """The address of each server itself; `url` may be a proxy's before them."""


class DataDir:
    def __init__(self, path: Path) -> None:
        self.path = path.resolve()  # one folder, one name: leftovers are known by it
        self.state_path = self.path / "state.json"
        self._lock_path = self.path / "lock"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise StartError(
                f"The data folder {self.path} cannot be written to ({error.strerror}): "
                "set EASEL_DATA_DIR to a folder of your own."
            ) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, or say who does. The kernel lets go of the lock when we die, however we die."""
        with self._lock_path.open("ab") as lock:
            deadline = time.monotonic() + 0.5  # outlasts read_state, which holds the lock for a moment to look
            while not _has_locked(lock.fileno(), fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise StartError(
                        f"Easel already runs on the data folder {self.path}: "
                        "stop it first, or set EASEL_DATA_DIR to another folder."
                    )
                time.sleep(0.02)
            self.state_path.unlink(missing_ok=True)  # of one that was killed: its ids may be somebody else's by now
            try:
                yield
            finally:
                self.state_path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # not empty: something of ours did not end cleanly
                    self.socket_folder().rmdir()

    def write_state(self, state: State) -> None:
        fresh = self.state_path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.replace(self.state_path)

    def folder(self, name: str) -> Path:
        made = self.path / name
        made.mkdir(mode=0o700, exist_ok=True)
        return made

    def socket_folder(self) -> Path:
        """A folder of ours below the temporary one: a data folder's own path is often too long for a socket."""
        name = f"easel-{os.geteuid()}-{hashlib.sha256(bytes(self.path)).hexdigest()[:12]}"
        made = Path(tempfile.gettempdir()) / name
        if len(f"{made}{LONGEST_SOCKET_NAME}") > SOCKET_PATH_LIMIT:
            made = Path("/tmp") / name  # noqa: S108 - owner and mode are checked below
        made.mkdir(mode=0o700, exist_ok=True)
        found = made.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise StartError(
                f"{made} is not a private folder of this user: remove it, or set TMPDIR to another folder."
            )
        return made


def read_state(path: Path) -> State | None:
    """What runs on a data folder now; None when nothing does, whatever a killed supervisor left in the file."""
    try:
        with (path / "lock").open("rb") as lock:
            if _has_locked(lock.fileno(), fcntl.LOCK_SH):
                return None
        return msgspec.json.decode((path / "state.json").read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise StartError(
            f"The data folder {path} belongs to another user: run this as the one who started Easel."
        ) from error


def _has_locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

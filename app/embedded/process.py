"""Child processes that end with their parent, and what can be said of a process by its id."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
LOG_LIMIT_BYTES = 5 * 1024 * 1024
IS_LINUX = sys.platform == "linux"

# Loaded before any fork: the child between fork and exec must not import or allocate more than it has to.
_libc = ctypes.CDLL(None, use_errno=True)


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    on_parent_death: signal.Signals,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone.

    On Linux the kernel sends it `on_parent_death` when the *thread* that called this ends: call it from the main
    thread. Without `log` the child writes to our own stdout and stderr.
    """
    parent = os.getpid()

    def end_with_parent() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(on_parent_death), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel knew of our wish
            os._exit(1)

    with contextlib.ExitStack() as files:
        output = None if log is None else files.enter_context(_opened(log))
        return subprocess.Popen(  # noqa: S603 - the callers' commands are fixed words and our own paths
            [str(word) for word in argv],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent if IS_LINUX else None,  # noqa: PLW1509 - only the main thread forks
        )


def has_ended_within(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    try:
        process.wait(max(timeout_s, 0))
    except subprocess.TimeoutExpired:
        return False
    return True


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the child, whatever it has started in its session, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def is_running(pid: int) -> bool:
    """Whether a process has this id; one that is dead and only not reaped yet does not count."""
    if IS_LINUX:
        stat = _read_proc(pid, "stat")
        return stat != "" and stat.rpartition(")")[2].split()[0] not in "ZX"
    state = _ask_ps(pid, "stat=")
    return state != "" and not state.startswith("Z")


def command_line(pid: int) -> str:
    """The words a process was started with; empty when it is gone, dead or the kernel's own."""
    return _read_proc(pid, "cmdline").replace("\0", " ") if IS_LINUX else _ask_ps(pid, "command=")


def end_leftover(pid: int, mark: str, by: signal.Signals, timeout_s: float) -> None:
    """End a process that a killed supervisor left behind. `mark` in its command line tells it from a reused id."""
    deadline = time.monotonic() + timeout_s
    for step in (by, signal.SIGKILL):
        if mark not in command_line(pid):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, step)
        while mark in command_line(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        deadline += 2  # for the kernel to take a killed one away


def last_lines(log: Path, count: int = 5) -> str:
    with contextlib.suppress(FileNotFoundError):
        lines = log.read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-count:])
    return ""


def _read_proc(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _ask_ps(pid: int, column: str) -> str:
    command = ["ps", "-o", column, "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


def _opened(log: Path) -> BinaryIO:
    """Open for appending; one older part is kept, so that a log never grows past twice the limit."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".old.log"))
    return log.open("ab")

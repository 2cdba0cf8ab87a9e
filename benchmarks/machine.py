"""The machine under the benchmarks: who uses its cores and memory, and what it is."""

import os
import platform
import subprocess
import time
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from benchmarks.errors import BenchmarkError

LOAD_CORE = 1  # the generator, the databases and this driver: everything but the server under test
SERVER_CORE = 0
QUIET_SHARE = 0.08  # of one core, by others
LOOK_S = 0.3
QUIET_TIMEOUT_S = 10
PATIENCE_S = 60  # with others, in a whole run
_TICKS = os.sysconf("SC_CLK_TCK")


class Machine(msgspec.Struct, frozen=True):
    processor: str
    cores: int
    memory_gib: int
    kernel: str
    file_system: str
    python: str
    node: str


def describe(folder: Path) -> Machine:
    """What matters for the numbers, and nothing that would name this machine."""
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return Machine(
        processor=models[0] if models else platform.machine(),
        cores=os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        kernel=platform.release().split("-")[0],
        file_system=_printed("stat", "-f", "-c", "%T", str(folder)),
        python=platform.python_version(),
        node=_printed("node", "--version"),
    )


def claim_load_core() -> None:
    """Everything started from here on shares the load's core unless it is pinned elsewhere."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        raise BenchmarkError("The benchmarks pin processes to cores: they need Linux and at least two cores.")
    os.sched_setaffinity(0, {LOAD_CORE})


def second_server_core() -> int:
    """A core of its own where there is one; on two cores it shares the load's."""
    return 2 if (os.cpu_count() or 1) >= 4 else LOAD_CORE


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for each in _pids():
        fields = _stat(each)
        if fields:
            children.setdefault(int(fields[1]), []).append(each)
    found = [pid]
    for known in found:
        found.extend(children.get(known, ()))
    return found


def pss_kb(pids: list[int]) -> int:
    """Memory, with what processes share counted once."""
    lines = (line for pid in pids for line in _lines(f"/proc/{pid}/smaps_rollup"))
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def cpu_s(pids: Iterable[int]) -> float:
    """User and system time so far, of these and (in hundredths of a second) of the children they have waited for."""
    return sum(_own_cpu_s(pid) + sum(map(int, fields[13:15])) / _TICKS for pid in pids if (fields := _stat(pid)))


def _own_cpu_s(pid: int) -> float:
    """By the process's own clock (clock_getcpuclockid(3), which Python does not have, is this on Linux)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:  # it has gone
        return 0.0


class ForeignLoad:
    """How much of the machine others have used since this was made, in cores.

    Process by process: the machine's own count is of what its clock's ticks met, a tenth off when the load keeps time
    with them, and splits user from system time otherwise than a process's.
    """

    def __init__(self) -> None:
        self._at, self._foreign = time.monotonic(), self._now()

    @staticmethod
    def _now() -> float:
        return cpu_s([*set(_pids()).difference(tree(os.getpid()))])

    def cores(self) -> float:
        return max(0.0, (self._now() - self._foreign) / (time.monotonic() - self._at))


_waited_s = 0.0


def wait_until_quiet(pids: Collection[int] = ()) -> bool:
    """Whether others are, and these: a server that has just been asked too much still works at it.

    A machine that never is is waited for a minute in all.
    """
    global _waited_s  # noqa: PLW0603 - one driver, one machine
    began = time.monotonic()
    deadline = began + min(QUIET_TIMEOUT_S, max(0.0, PATIENCE_S - _waited_s))
    while time.monotonic() < deadline:
        foreign, spent_s = ForeignLoad(), cpu_s(pids)
        time.sleep(LOOK_S)
        if foreign.cores() < QUIET_SHARE and (cpu_s(pids) - spent_s) / LOOK_S < QUIET_SHARE:
            return True
    _waited_s += time.monotonic() - began
    return False


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name: state, parent …; None for a process that has gone."""
    lines = _lines(f"/proc/{pid}/stat")
    return lines[0].rpartition(")")[2].split() if lines else None


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def _printed(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    except FileNotFoundError:
        return "none"
    return done.stdout.strip()

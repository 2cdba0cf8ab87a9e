"""How fast each core is while something is measured on it: neighbours of a virtual machine change it by a third.

What is compared was measured one after the other, so it is compared as if all of it had met the same pace.
"""

import contextlib
import signal
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from app.embedded.process import kill_group, spawn
from benchmarks import machine
from benchmarks.errors import BenchmarkError


class Pace:
    """The folder has a file for each core, which `pace.c` writes to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def us(self, core: int, began: float, ended: float) -> float:
        """What the same work took there meanwhile, on average, in µs. Times are of the monotonic clock.

        Raises BenchmarkError when that was not looked at.
        """
        lines = self._file(core).read_text().splitlines()
        first = bisect_left(lines, began, key=_at)
        seen = [float(line.partition(" ")[2]) for line in lines[first : bisect_right(lines, ended, key=_at)]]
        if not seen:
            raise BenchmarkError(f"How fast core {core} was from {began:.2f} to {ended:.2f} s was not seen.")
        return fmean(seen)

    def _file(self, core: int) -> Path:
        return self._folder / f"core{core}"


def _at(line: str) -> float:
    return float(line.partition(" ")[0])


@contextlib.contextmanager
def pace(program: Path, folder: Path) -> Iterator[Pace]:
    """Looked at from here on, on every core that something is measured on."""
    with contextlib.ExitStack() as stack:
        for core in {machine.SERVER_CORE, machine.second_server_core(), machine.LOAD_CORE}:
            command = [str(program), str(core), str(folder / f"core{core}")]
            stack.callback(kill_group, spawn(command, log=folder / "pace.log", on_parent_death=signal.SIGKILL))
        yield Pace(folder)


def at_pace(us: float, costs: Sequence[float], paces: Sequence[float]) -> list[float]:
    """Times and CPU as they would have been had each met this pace instead of its own."""
    return [cost * us / met_us for cost, met_us in zip(costs, paces, strict=True)]

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from benchmarks.machine import ForeignLoad, cpu_s, tree

BUSY = "while True: pass"
DETACHED = f"""
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", {BUSY!r}], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)
"""
PRINT_AND_WAIT = "import os; print(os.getpid(), flush=True); input()"
SPENT_S = 0.2
PATIENCE_S = 30


@pytest.fixture
def stranger() -> Iterator[int]:
    """A busy process that is nobody's child any more."""
    pid = int(subprocess.run([sys.executable, "-c", DETACHED], capture_output=True, check=True).stdout)
    yield pid
    os.kill(pid, signal.SIGKILL)


def until_spent(pid: int) -> float:
    """Until it has used some CPU since; how much it has used."""
    before, until = cpu_s([pid]), time.monotonic() + PATIENCE_S
    while (spent := cpu_s([pid]) - before) < SPENT_S:
        assert time.monotonic() < until
    return spent


def test_what_others_use_is_seen(stranger: int) -> None:
    began, foreign = time.monotonic(), ForeignLoad()

    spent = until_spent(stranger)

    assert foreign.cores() * (time.monotonic() - began) >= spent


def test_what_we_started_is_ours_and_so_is_what_that_started(stranger: int) -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {PRINT_AND_WAIT!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        assert {os.getpid(), process.pid, grandchild} <= set(tree(os.getpid()))
        process.communicate("done")
    assert stranger not in tree(os.getpid())

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks import pace
from benchmarks.errors import BenchmarkError
from benchmarks.machine import SERVER_CORE
from benchmarks.pace import Pace, at_pace

SOURCE = Path(pace.__file__).with_name("pace.c")
PATIENCE_S = 20


def test_pace_is_the_mean_of_what_was_seen_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "core0").write_text("1.00 10\n2.00 20\n3.00 30\n4.00 70\n")

    assert Pace(tmp_path).us(0, 2, 3.5) == 25
    assert Pace(tmp_path).us(0, 0, 9) == 32.5
    with pytest.raises(BenchmarkError, match=r"core 0 was from 2\.10 to 2\.90 s"):
        Pace(tmp_path).us(0, 2.1, 2.9)


def test_costs_are_turned_to_one_pace() -> None:
    assert at_pace(20, [3.0, 3.0], [20, 30]) == [3.0, 2.0]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="it is C: it needs gcc")
def test_the_core_is_looked_at_as_long_as_it_is_asked_for(tmp_path: Path) -> None:
    program = tmp_path / "pace"
    subprocess.run(["gcc", "-O2", "-o", program, SOURCE], check=True)

    with pace.pace(program, tmp_path) as seen:
        began = time.monotonic()
        while time.monotonic() < began + PATIENCE_S:
            if (tmp_path / f"core{SERVER_CORE}").exists() and _lines(tmp_path) >= 3:
                break
        us = seen.us(SERVER_CORE, began, time.monotonic())

    assert 1 < us < 10_000


def _lines(folder: Path) -> int:
    return len((folder / f"core{SERVER_CORE}").read_text().splitlines())

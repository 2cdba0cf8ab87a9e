from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
GENERATOR = HERE.parents[1] / "benchmarks"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the load generator is C: it needs gcc")
def test_time_travels_in_a_drag_and_is_read_back(tmp_path: Path) -> None:
    program = tmp_path / "stamp"
    subprocess.run(["gcc", f"-I{GENERATOR}", "-o", program, HERE / "stamp.c"], check=True)

    said, seen = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()

    assert said == '{"type":"presence","set":{"drag":{"n12":{"x":123456,"y":27.5}}}}'
    assert seen == "4 delivered, 4 own, 3 at 7 ms, 1 at 9 ms"

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import cast

import pytest

from benchmarks import __main__ as command
from benchmarks.bench import QUICK, Bench
from benchmarks.databases import Databases
from benchmarks.generator import Generator
from benchmarks.harness import Harness
from benchmarks.machine import Machine
from benchmarks.results import Header, Results, runs


def bench(path: Path, until: float) -> Bench:
    results = Results(path, "run")
    results.begin(
        Header("run", "quick", "abc", Machine("A processor", 2, 24, "6.18", "ext4", "3.11", "v20"), "fsync=on")
    )
    nothing = cast(Databases, None)  # what is left out needs no server
    return Bench(QUICK, cast(Harness, None), nothing, Generator(path), results, until=until)


def noting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the workloads, as they are measured from here on."""
    measured = list[str]()

    def note(name: str) -> Callable[[Bench], None]:
        return lambda _: measured.append(name)

    for name in QUICK.workloads:
        monkeypatch.setitem(command.MEASURES, name, note(name))
    return measured


def test_what_has_not_begun_when_the_time_is_up_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, path = noting(monkeypatch), tmp_path / "results.jsonl"

    command.measure(bench(path, until=0.0), ())

    assert measured == []
    assert runs(path)[-1].left_out == list(QUICK.workloads)


def test_in_time_everything_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, path = noting(monkeypatch), tmp_path / "results.jsonl"

    command.measure(bench(path, until=inf), ())

    assert measured == list(QUICK.workloads)
    assert runs(path)[-1].left_out == []

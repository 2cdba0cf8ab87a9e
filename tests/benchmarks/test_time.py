from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import cast

import pytest

from benchmarks import __main__ as command
from benchmarks.bench import QUICK, Bench
from benchmarks.databases import Databases
from benchmarks.errors import BenchmarkError
from benchmarks.generator import Generator
from benchmarks.harness import Harness
from benchmarks.machine import Machine
from benchmarks.pace import Pace
from benchmarks.results import Header, Results, runs


def bench(path: Path, until: float, *, is_rest: bool = False) -> Bench:
    results = Results(path, "run")
    if not is_rest:
        results.begin(
            Header("run", "quick", "HEAD", Machine("A processor", 2, 24, "6.18", "ext4", "3.11", "v20"), "fsync=on")
        )
    nothing = cast(Databases, None)  # what is left out needs no server
    pace = Pace(path)
    return Bench(
        QUICK, cast(Harness, None), nothing, Generator(path, pace), pace, results, is_rest=is_rest, until=until
    )


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


def test_growth_begins_only_when_there_is_time_for_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, path = list[str](), tmp_path / "results.jsonl"
    monkeypatch.setitem(command.MEASURES, "growth", lambda _: measured.append("growth"))

    command.measure(bench(path, until=time.monotonic() + command.GROWTH_S / 2), ("growth",))
    assert (measured, runs(path)[-1].left_out) == ([], ["growth"])

    command.measure(bench(tmp_path / "later.jsonl", until=time.monotonic() + command.GROWTH_S * 2), ("growth",))
    assert measured == ["growth"]


def test_in_time_everything_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, path = noting(monkeypatch), tmp_path / "results.jsonl"

    command.measure(bench(path, until=inf), ())

    assert measured == list(QUICK.workloads)
    assert runs(path)[-1].left_out == []


def test_the_rest_is_what_a_run_left_out_and_becomes_a_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, path = noting(monkeypatch), tmp_path / "results.jsonl"
    results = bench(path, until=0.0).results
    results.leave_out("W2", "no time")
    results.leave_out("W4 node ws", "no load had passed")
    monkeypatch.setattr(command, "_is_as_it_was", lambda _: True)

    command.measure(bench(path, until=inf, is_rest=True), command.rest_of(runs(path)[-1]))

    assert measured == ["W2"]
    assert runs(path)[-1].left_out == ["W4 node ws"]
    with pytest.raises(BenchmarkError, match="left nothing out"):
        command.rest_of(runs(path)[-1])


def test_nothing_is_added_to_a_run_of_another_easel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench(tmp_path / "results.jsonl", until=0.0).results.leave_out("W2", "no time")
    monkeypatch.setattr(command, "_is_as_it_was", lambda _: False)

    with pytest.raises(BenchmarkError, match="not what it was at HEAD"):
        command.rest_of(runs(tmp_path / "results.jsonl")[-1])

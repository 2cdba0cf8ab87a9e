from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.generator import Seen
from benchmarks.machine import Machine
from benchmarks.results import LOWER_BOUND, Header, Results, Row, Run, runs
from benchmarks.tables import BEGIN, CLAIMS, END, GIVEN, agreement, best_peer, render, write_into

MACHINE = Machine("A processor", 2, 24, "6.18", "ext4", "3.11", "v20")
ROWS = [
    Row("W2", "easel", {"load": 400}),
    Row("W2", "hocuspocus", {"load": 75}),
    Row("W2", "node ws", {"load": 40}),
    Row("W3", "easel", {"load": 300}),
    Row("W3", "tldraw sync-core", {"load": 88}),
    Row("W3", "node ws", {"load": 177}),
    Row("W4", "easel", {"kb_per_connection": 33.1}),
    Row("W4", "node ws", {"kb_per_connection": 13.9}),
    Row("W4", "hocuspocus", {"kb_per_connection": 35.3}),
    Row("W6 size", "easel", {"server_us_per_op": 200, "database_us_per_op": 200}, "10"),
    Row("W6 size", "easel", {"server_us_per_op": 300, "database_us_per_op": 200}, "10000"),
    Row("W10", "easel", {"gain": 1.8, "one_cpu": 0.9, "busier_of_two_cpu": 0.5}, "many rooms"),
]


def run_of(rows: list[Row], name: str = "2030-01-01T00:00:00Z") -> Run:
    return Run(Header(name, "full", "abc", MACHINE, "fsync=on"), rows, [], [])


def test_more_is_better_or_less_is() -> None:
    text = render(run_of(ROWS))

    assert "| W2 | editors in one room | 400 | 75 (hocuspocus) | **5.33 ×** | ≥ 5 × | yes |" in text
    assert "| W4 | memory per idle connection | 33.1 | 13.9 (node ws) | **2.38 ×** | ≤ 1 × | no |" in text


def test_relays_and_documents_are_two_comparisons() -> None:
    text = render(run_of(ROWS))

    assert "| 300 | 88 (tldraw sync-core) | **3.41 ×**" in text
    assert "| 300 | 177 (node ws) | **1.69 ×**" in text


def test_easel_is_held_against_itself_too() -> None:
    text = render(run_of(ROWS))

    assert "500 µs at 10000 nodes | 400 µs at 10 | **1.25 ×** | ≤ 1.1 × | no |" in text
    assert "**1.80 ×** | ≥ 1.7 × | yes |" in text


def test_sharp_is_compared_in_the_format_that_easel_writes() -> None:
    sharp = [Row("W8", "sharp", {"mean_ms": 240}, "webp"), Row("W8", "sharp", {"mean_ms": 120}, "jpeg")]

    text = render(run_of([Row("W8", "easel", {"mean_ms": 216}), *sharp]))

    assert "| 216 | 240 (sharp) | **0.90 ×** | ≤ 1 × | yes |" in text


def test_given_loads_make_no_ratios() -> None:
    text = render(Run(Header("now", GIVEN, "abc", MACHINE, "fsync=on"), ROWS, [], []))

    assert "5.33" not in text
    assert "### W2" in text


def test_peer_that_carried_nothing_is_not_the_best() -> None:
    memory = next(claim for claim in CLAIMS if claim.workload == "W4")

    best = best_peer(memory, [*ROWS, Row("W4", "failed", {"kb_per_connection": 0})])

    assert best is not None
    assert best.contender == "node ws"


def test_page_keeps_what_stands_around_its_tables(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n")

    write_into(page, "new\n")

    assert page.read_text() == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"


def test_page_without_a_place_for_tables_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Title\n")

    with pytest.raises(BenchmarkError, match="no place for tables"):
        write_into(page, "new\n")
    assert page.read_text() == "# Title\n"


def test_runs_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    for name in ("first", "second"):
        results = Results(path, name)
        results.begin(Header(name, "full", "abc", MACHINE, "fsync=on"))
        results.add(Row("W2", "easel", {"load": 1}))

    results.probe("W2", "easel", 1, Seen(), has_passed=False)
    results.leave_out("W3", "no time")

    first, second = runs(path)

    assert (first.header.run, second.header.run) == ("first", "second")
    assert [row.run for row in second.rows] == ["second"]
    assert [(probe.load, probe.passed) for probe in second.probes] == [(1, False)]
    assert second.left_out == ["W3"]
    assert "Left out for want of time: W3." in render(second)


def test_no_run_yet(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="holds no run yet"):
        runs(tmp_path / "none.jsonl")


def test_number_that_the_generator_ended_is_a_lower_bound() -> None:
    bound = [Row("W2", "easel", {"load": 400, LOWER_BOUND: 1}), Row("W2", "hocuspocus", {"load": 100})]

    assert "| ≥ 400 | 100 (hocuspocus) | **4.00 ×** |" in render(run_of(bound))


@pytest.mark.parametrize(("editors", "verdict"), [(460, "yes"), (465, "**no**"), (348, "yes"), (345, "**no**")])
def test_two_runs_agree_within_15_percent_either_way(editors: int, verdict: str) -> None:
    older = run_of([Row("W2", "easel", {"load": 400}), Row("W2", "hocuspocus", {"load": 100})], "older")
    newer = run_of([Row("W2", "easel", {"load": editors}), Row("W2", "hocuspocus", {"load": 100})], "newer")

    assert agreement([older, newer]).splitlines()[-1].endswith(f"| {verdict} |")


def test_one_run_agrees_with_nothing() -> None:
    other = Run(Header("older", "quick", "abc", MACHINE, "fsync=on"), ROWS, [], [])

    with pytest.raises(LookupError, match="no second run"):
        agreement([other, run_of(ROWS)])


@pytest.mark.parametrize("name", ["benchmarks.md", "scaling.md"])
def test_pages_have_a_place_for_tables(name: str, tmp_path: Path) -> None:
    """Found out before a run and not after its twenty minutes."""
    page = tmp_path / name
    page.write_text((Path(__file__).parents[2] / "docs" / name).read_text())

    write_into(page, "| a table |\n")

    assert "| a table |" in page.read_text()

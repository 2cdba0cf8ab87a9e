from __future__ import annotations

import pytest

from benchmarks.results import Row
from benchmarks.slopes import LOG, NODES, exponent, growth_table, growths


@pytest.mark.parametrize("power", [-0.5, 0.0, 0.3, 1.0, 2.0])
def test_power_law_is_found_again(power: float) -> None:
    points = [(size, 7 * size**power) for size in (10, 100, 1_000, 10_000)]

    assert exponent(points) == pytest.approx(power)


def costs(workload: str, figure: str, values: dict[int, float]) -> list[Row]:
    return [Row(workload, "easel", {figure: value}, str(size)) for size, value in values.items()]


def test_what_costs_more_the_more_there_are_is_marked() -> None:
    rows = costs(NODES, "cpu_us", {10_000: 800, 10: 400, 100: 410, 1_000: 420})
    rows += costs(LOG, "push_ms", {1_000: 1.0, 10_000: 2.0, 100_000: 4.0})

    nodes, log = growths(rows)

    assert [size for size, _ in nodes.points] == [10, 100, 1_000, 10_000]
    assert not nodes.is_worse_than_linear
    assert log.is_worse_than_linear
    text = growth_table(rows)
    assert "| +0.09 | linear or better in all |" in text
    assert "| +0.30 | **worse than linear** |" in text


def test_two_points_are_no_line() -> None:
    assert growth_table(costs(NODES, "cpu_us", {10: 1, 100: 10})) == ""


def test_what_was_not_measured_is_left_out() -> None:
    rows = [Row(NODES, "easel", {"cpu_us": None}, "10"), *costs(NODES, "cpu_us", {100: 5, 1_000: 5, 10_000: 5})]

    [nodes] = growths(rows)

    assert [size for size, _ in nodes.points] == [100, 1_000, 10_000]

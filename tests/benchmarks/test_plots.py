from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import pytest

from benchmarks.generator import Seen
from benchmarks.plots import HEIGHT, WIDTH, Line, Plot, plots, svg
from benchmarks.results import Probe, Row
from benchmarks.slopes import NODES

PLOT = Plot("Latency", "editors", "ms", [Line("easel", [(10, 5), (100, 20)]), Line("a < b", [(10, 6), (90, 21)])], 100)


def probe(contender: str, load: int, p99: float, workload: str = "W2") -> Probe:
    return Probe(workload, contender, load, passed=p99 < 100, seen=Seen(expected=1, p99=p99), run="run")


def test_drawing_is_well_formed_and_says_what_it_shows() -> None:
    root = ElementTree.fromstring(svg(PLOT))

    assert root.get("aria-label") == "Latency. ms over editors."
    words = [text for element in root.iter() if (text := element.text)]
    assert {"easel", "a < b", "editors", "ms"} <= set(words)
    assert any("prefers-color-scheme:dark" in text for text in words)


def test_everything_lies_on_the_ground() -> None:
    places = re.findall(r"[ML](\d+\.\d) (\d+\.\d)", svg(PLOT))

    assert len(places) > 4
    assert all(0 < float(x) < WIDTH and 0 < float(y) < HEIGHT for x, y in places)


def test_names_do_not_lie_on_each_other() -> None:
    crowd = [Line(f"number {i}", [(1, 10), (10, 50 + i / 100)]) for i in range(6)]

    heights = sorted(float(y) for y in re.findall(r'class="name" x="\d+" y="([\d.]+)"', svg(Plot("", "", "", crowd))))

    assert len(heights) == 6
    assert all(below - above >= 15.9 for above, below in itertools.pairwise(heights))
    assert heights[-1] < HEIGHT


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        svg(Plot("Empty", "", "", [Line("easel", [(0, 5)])]))


def test_latency_is_the_median_of_the_tries_at_a_load_and_what_never_came_is_left_out() -> None:
    probes = [probe("easel", 10, p99) for p99 in (30, 10, 20)]
    probes += [probe("easel", 20, 40), probe("easel", 40, 99999), probe("other", 10, 50), probe("other", 5, 45)]

    found = plots([], probes)

    assert list(found) == ["latency-w2"]
    assert found["latency-w2"].lines == [Line("easel", [(10, 20), (20, 40)]), Line("other", [(5, 45), (10, 50)])]


def test_growth_has_a_plot_with_its_exponent() -> None:
    rows = [Row(NODES, "easel", {"cpu_us": 400.0}, str(size)) for size in (10, 100, 1_000)]

    found = plots(rows, [])

    assert list(found) == ["growth-nodes-cpu"]
    assert [line.name for line in found["growth-nodes-cpu"].lines] == ["as size to the +0.00"]


def test_pushes_have_a_point_for_each_window() -> None:
    def row(contender: str, case: str, load: float, p99: float) -> Row:
        return Row("W1", contender, {"load": load, "p99_ms": p99, "rounds": 5}, case)

    rows = [row("easel", "push", 19_000, 60), row("easel", "push with 20 on their way", 6_000, 6)]
    drag = Row("W1", "easel", {"load": 200_000, "p99_ms": 20, "looks": 6}, "drag")

    [line] = plots([*rows, drag], [])["latency-w1"].lines

    assert (line.name, line.points) == ("easel", [(6_000, 6), (19_000, 60)])

"""How the cost of one grows with the number of all: a straight line through the logarithms. No I/O."""

from collections.abc import Iterable, Sequence
from math import log

import msgspec

from benchmarks.results import Row

FLAT = 0.1
"""What noise may make of no growth: with this exponent, a thousand times as many cost twice as much each."""
LEAST_POINTS = 3


class Series(msgspec.Struct, frozen=True):
    """One cost over one size: rows of `workload`, whose case is the size."""

    workload: str
    figure: str
    cost: str
    unit: str
    size: str


class Growth(msgspec.Struct, frozen=True):
    series: Series
    points: list[tuple[int, float]]
    """Size and cost of one, smallest size first."""
    exponent: float
    """The cost of one grows as size to the power of this; that of all as one more."""

    @property
    def is_worse_than_linear(self) -> bool:
        return self.exponent > FLAT


NODES, ROOMS, CONNECTIONS = "growth nodes", "growth rooms", "growth connections"
RUNS, LOG = "growth runs", "growth log"
SERIES = (
    Series(NODES, "cpu_us", "a stored operation, CPU of server and PostgreSQL", "µs", "nodes in the document"),
    Series(ROOMS, "cpu_us", "a stored operation, CPU of server and PostgreSQL", "µs", "rooms that share 200 a second"),
    Series(CONNECTIONS, "kb", "an idle connection, memory", "kB", "connections"),
    Series(CONNECTIONS, "connect_cpu_ms", "an idle connection, CPU to let it in", "ms", "connections"),
    Series(RUNS, "start_ms", "starting one more run", "ms", "runs that wait"),
    Series(RUNS, "claim_ms", "a worker taking the run whose turn it is", "ms", "runs that wait"),
    Series(LOG, "open_ms", "opening a document that nobody has open", "ms", "transactions in its log"),
    Series(LOG, "push_ms", "the next push, stored", "ms", "transactions in its log"),
)


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the least-squares line through (log size, log cost). Sizes and costs are positive."""
    xs, ys = [log(size) for size, _ in points], [log(cost) for _, cost in points]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread


def growths(rows: Iterable[Row]) -> list[Growth]:
    """Of every series that has enough points."""
    rows = list(rows)
    found = []
    for series in SERIES:
        costs = {
            int(row.case): cost
            for row in rows
            if row.workload == series.workload and (cost := row.figures.get(series.figure)) and cost > 0
        }
        points = sorted(costs.items())
        if len(points) >= LEAST_POINTS:
            found.append(Growth(series, points, exponent(points)))
    return found


def shown(value: float) -> str:
    """Three digits that count, or all of a whole number."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.3g}"


def growth_table(rows: Iterable[Row]) -> str:
    """As Markdown; empty without measurements."""
    found = growths(rows)
    if not found:
        return ""
    lines = ["| cost of | over | smallest … largest | exponent | |", "|---|---|---|--:|---|"]
    for growth in found:
        costs = ", ".join(f"{shown(cost)} at {size:,}" for size, cost in growth.points)
        verdict = "**worse than linear**" if growth.is_worse_than_linear else "linear or better in all"
        what = f"{growth.series.cost}, {growth.series.unit}"
        lines.append(f"| {what} | {growth.series.size} | {costs} | {growth.exponent:+.2f} | {verdict} |")
    return "### Growth: the cost of one, as size to the power of …\n\n" + "\n".join(lines)

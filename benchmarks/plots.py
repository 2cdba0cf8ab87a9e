"""Line plots as SVG, legible on light and dark pages: latency over load, cost over size, beside each other. No I/O."""

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, floor, log10

import msgspec

from benchmarks.results import Probe, Row
from benchmarks.slopes import Growth, growths

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 68, 188, 46, 52
NAME_LINES = 16  # pixels between two names at the right
# Six hues that keep their distance for the colour-blind too (after Okabe and Ito), for either ground.
LIGHT = ("#0072b2", "#b45309", "#047857", "#a21caf", "#57534e", "#b91c1c")
DARK = ("#56b4e9", "#f0a860", "#34d399", "#e879f9", "#c9c5bf", "#fca5a5")
MARKS = ("circle", "square", "diamond", "triangle", "ring", "cross")
"""Colour is not all that tells two lines apart."""
LIMIT_MS = 100.0
LOADS = {
    "W1": ("W1: latency over what is delivered", "pushes, updates or drags per second of one sender, 100 receivers"),
    "W2": ("W2: latency over editors", "editors in one room, all dragging at 60 Hz"),
    "W3": ("W3: latency over rooms", "rooms of five editors at 20 Hz"),
}


class Line(msgspec.Struct, frozen=True):
    name: str
    points: list[tuple[float, float]]


class Plot(msgspec.Struct, frozen=True):
    title: str
    across: str
    up: str
    lines: list[Line]
    limit: float | None = None
    """A dashed line across."""


def plots(rows: Sequence[Row], probes: Sequence[Probe]) -> dict[str, Plot]:
    """By file name; only what was measured."""
    found = {f"latency-{name.lower()}": _latency(name, rows, probes) for name in LOADS}
    for growth in growths(rows):
        found[f"growth-{_slug(growth)}"] = _growth(growth)
    return {name: plot for name, plot in found.items() if any(len(line.points) > 1 for line in plot.lines)}


def _slug(growth: Growth) -> str:
    name = growth.series.workload.removeprefix("growth ")
    return f"{name}-{growth.series.figure.rsplit('_', 1)[0].replace('_', '-')}"


def _growth(growth: Growth) -> Plot:
    points = [(float(size), cost) for size, cost in growth.points]
    title = f"{growth.series.cost[0].upper()}{growth.series.cost[1:]}"
    line = Line(f"as size to the {growth.exponent:+.2f}", points)
    return Plot(title, growth.series.size, growth.series.unit, [line])


def _latency(workload: str, rows: Sequence[Row], probes: Sequence[Probe]) -> Plot:
    title, across = LOADS[workload]
    lines = _windows(rows) if workload == "W1" else []
    for name in dict.fromkeys(probe.contender for probe in probes if probe.workload == workload):
        at: dict[float, list[float]] = {}
        for probe in probes:
            latency = probe.seen.latency_ms
            if (probe.workload, probe.contender) == (workload, name) and latency is not None:
                at.setdefault(probe.load, []).append(latency)
        points = [(load, sorted(found)[len(found) // 2]) for load, found in sorted(at.items())]
        lines.append(Line(name, points))
    return Plot(title, across, "p99, ms", [line for line in lines if line.points], LIMIT_MS)


def _windows(rows: Sequence[Row]) -> list[Line]:
    """W1's pushes: a point for each window, from the narrowest to the widest."""
    pushes = [row for row in rows if row.workload == "W1" and row.figures.get("rounds") and row.figures.get("load")]
    points: dict[str, list[tuple[float, float]]] = {}
    for row in sorted(pushes, key=lambda row: row.figures["p99_ms"] or 0):
        points.setdefault(row.contender, []).append((row.figures["load"] or 0, row.figures["p99_ms"] or 0))
    return [Line(name, found) for name, found in points.items()]


# Drawing


class _Axis(msgspec.Struct, frozen=True):
    """Logarithmic, from one power of ten to another."""

    low: int
    high: int
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        tens: list[float] = [10.0**power for power in range(self.low, self.high + 1)]
        return tens if len(tens) > 2 else sorted([*tens, *(tens[0] * part for part in (2, 5))])


def _axis(values: Iterable[float], start: float, end: float) -> _Axis:
    known = list(values)
    low, high = floor(log10(min(known))), ceil(log10(max(known)))
    return _Axis(low, max(high, low + 1), start, end)


def svg(plot: Plot) -> str:
    """Raises ValueError for a plot without points; points that are not positive cannot be shown and are left out."""
    lines = [msgspec.structs.replace(line, points=[p for p in line.points if min(p) > 0]) for line in plot.lines]
    lines = [line for line in lines if line.points]
    if not lines:
        raise ValueError(f"{plot.title}: nothing to draw")
    limit = [plot.limit] if plot.limit else []
    x = _axis((point[0] for line in lines for point in line.points), LEFT, WIDTH - RIGHT)
    y = _axis((*(point[1] for line in lines for point in line.points), *limit), HEIGHT - BOTTOM, TOP)
    parts = [*_frame(plot, x, y), *(_limit(plot.limit, y) if plot.limit else [])]
    names = _name_places([y.at(line.points[-1][1]) for line in lines])
    for number, (line, name_y) in enumerate(zip(lines, names, strict=True)):
        parts += _drawn(line, number % len(LIGHT), x, y, name_y)
    label = f"{plot.title}. {plot.up} over {plot.across}."
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escape(label, quote=True)}">',
            f"<title>{escape(label)}</title>",
            _style(),
            *parts,
            "</svg>\n",
        ]
    )


def _style() -> str:
    def inks(colours: tuple[str, ...]) -> str:
        return "".join(f".c{i}{{stroke:{c};fill:{c}}}" for i, c in enumerate(colours))

    words = "text{font:13px system-ui,sans-serif;stroke:none}.title{font-weight:600;font-size:15px}"
    shapes = ".line{fill:none!important;stroke-width:2}.hollow{fill:none!important;stroke-width:2}"
    light = f".ground{{fill:#fff}}text{{fill:#1c1917}}.grid{{stroke:#e7e5e4}}.limit{{stroke:#78716c}}{inks(LIGHT)}"
    dark = f".ground{{fill:#1c1917}}text{{fill:#f5f5f4}}.grid{{stroke:#44403c}}.limit{{stroke:#a8a29e}}{inks(DARK)}"
    named = ".name{stroke:none!important}"
    return f"<style>{words}{light}{shapes}{named}@media(prefers-color-scheme:dark){{{dark}}}</style>"


def _frame(plot: Plot, x: _Axis, y: _Axis) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        f'<text class="title" x="{LEFT}" y="26">{escape(plot.title)}</text>',
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(plot.across)}</text>',
        f'<text transform="translate(16 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(plot.up)}</text>",
    ]
    for value in x.ticks():
        at = f"{x.at(value):.1f}"
        parts.append(f'<path class="grid" d="M{at} {TOP}V{bottom}"/>')
        parts.append(f'<text x="{at}" y="{bottom + 18}" text-anchor="middle">{_short(value)}</text>')
    for value in y.ticks():
        height = y.at(value)
        parts.append(f'<path class="grid" d="M{LEFT} {height:.1f}H{right}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{_short(value)}</text>')
    return parts


def _limit(limit: float, y: _Axis) -> list[str]:
    return [f'<path class="limit" stroke-dasharray="5 4" d="M{LEFT} {y.at(limit):.1f}H{WIDTH - RIGHT}"/>']


def _name_places(heights: list[float]) -> list[float]:
    """Where names stand so that none lies on another: as near to the end of their lines as there is room."""
    places: dict[int, float] = {}
    free = TOP + 4.0
    for number in sorted(range(len(heights)), key=lambda each: heights[each]):
        free = places[number] = max(free, heights[number] + 4)
        free += NAME_LINES
    overhang = max(0.0, free - NAME_LINES - (HEIGHT - BOTTOM))
    return [places[number] - overhang for number in range(len(heights))]


def _drawn(line: Line, ink: int, x: _Axis, y: _Axis, name_y: float) -> list[str]:
    at = [(x.at(across), y.at(up)) for across, up in line.points]
    path = "M" + "L".join(f"{left:.1f} {top:.1f}" for left, top in at)
    parts = [f'<path class="line c{ink}" d="{path}"/>']
    parts += [_mark(MARKS[ink], ink, left, top) for left, top in at]
    name_x = WIDTH - RIGHT + 24
    parts.append(_mark(MARKS[ink], ink, name_x - 12, name_y - 4))
    parts.append(f'<text class="name" x="{name_x}" y="{name_y:.1f}">{escape(line.name)}</text>')
    return parts


def _mark(kind: str, ink: int, x: float, y: float) -> str:
    corner = f"M{x:.1f} {y:.1f}"
    match kind:
        case "circle":
            return f'<circle class="c{ink}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        case "ring":
            return f'<circle class="hollow c{ink}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        case "square":
            return f'<path class="c{ink}" d="{corner}m-3.5-3.5h7v7h-7z"/>'
        case "diamond":
            return f'<path class="c{ink}" d="{corner}m0-4.5l4.5 4.5-4.5 4.5-4.5-4.5z"/>'
        case "triangle":
            return f'<path class="c{ink}" d="{corner}m0-4l4 7.5h-8z"/>'
        case _:
            return f'<path class="hollow c{ink}" d="{corner}m-3.5-3.5l7 7m0-7l-7 7"/>'


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"

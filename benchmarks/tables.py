"""A run as Markdown: how Easel stands to the best peer, then every figure."""

from math import exp, log
from pathlib import Path

import msgspec

from benchmarks.capacity import DRAG, PUSH
from benchmarks.durable import total_us
from benchmarks.errors import BenchmarkError
from benchmarks.results import LOWER_BOUND, Header, Row, Run
from benchmarks.slopes import growth_table
from benchmarks.slopes import shown as number_shown

BEGIN, END = "<!-- tables: `make bench` with --write -->", "<!-- end of tables -->"
AGREES_WITHIN = 1.15
SMALL, LARGE = "10", "10000"
GIVEN = "given load"
"""The depth of a run whose loads were not searched: its ratios would say nothing."""
RELAYS = ("node ws", "socket.io")
"""They pass messages on and keep no document."""


class Claim(msgspec.Struct, frozen=True):
    """One line of the ratio table: a figure of Easel's over the best peer's."""

    workload: str
    what: str
    figure: str
    target: float
    is_more_better: bool = True
    case: str = ""
    peer_case: str = ""
    among: str = "all"
    """`all` peers, those with a `document`, or the `relays`."""


class Ratio(msgspec.Struct, frozen=True):
    workload: str
    what: str
    shown: tuple[str, str]
    """Easel's figure and the one beside it."""
    value: float
    target: float
    is_more_better: bool


NET = "without_stamp_kb_per_s"
CLAIMS = (
    Claim("W1", "fan-out of stored pushes, deliveries/s", "delivered_per_s", 3, case=PUSH),
    Claim("W1", "fan-out of drags, moves/s taken (30 of them shown)", "load", 3, case=DRAG),
    Claim("W2", "editors in one room", "load", 5),
    Claim("W3", "rooms of five, to peers with a document", "load", 3, among="document"),
    Claim("W3", "rooms of five, to plain relays", "load", 1.5, among="relays"),
    Claim("W4", "memory per idle connection", "kb_per_connection", 1, is_more_better=False),
    Claim("W5", "join, time", "p50_ms", 0.4, is_more_better=False),
    Claim("W5", "join, server CPU", "server_cpu_ms", 0.4, is_more_better=False),
    Claim("W7", "queue, jobs/s", "jobs_per_s", 0.9, case="queue", peer_case="queue"),
    Claim("W8", "three variants of a photo, time", "mean_ms", 1, is_more_better=False, peer_case="webp"),
    Claim("W8", "three variants of a photo, memory", "peak_mb", 1, is_more_better=False, peer_case="webp"),
    Claim("W9", "a node read over REST, per s", "per_s", 2, case="read", peer_case="read"),
    Claim("W9", "a node written over REST, per s", "per_s", 2, case="write", peer_case="write"),
    Claim("W9", "100 nodes listed over REST, per s", "per_s", 2, case="list", peer_case="list"),
    Claim("W11", "kB/s per editor, 100 of them", NET, 0.5, is_more_better=False, case="100", peer_case="100"),
    Claim("W11", "kB/s per editor, 300 of them", NET, 0.5, is_more_better=False, case="300", peer_case="300"),
)
TITLES = {
    "W1": "W1: one sender, 100 receivers",
    "W2": "W2: one room, everybody drags at 60 Hz",
    "W3": "W3: rooms of five, 20 Hz each",
    "W4": "W4: 1,000 idle connections in 100 rooms",
    "W5": "W5: joining a document of 5,000 nodes",
    "W6": "W6: stored operations (rooms × editors)",
    "W6 size": "W6: what one costs in documents of so many nodes, at 200/s",
    "W7": "W7: runs, and the queue beside bare arq (jobs that do nothing)",
    "W8": "W8: three variants of a JPEG of 12 million pixels",
    "W9": "W9: nodes over REST, 16 connections with one request each",
    "W10": "W10: two server processes",
    "W11": "W11: bytes received per second and editor, everybody drags at 60 Hz",
}


def render(run: Run) -> str:
    rows = run.rows
    parts = [_preamble(run.header), "" if run.header.depth == GIVEN else _ratio_table(rows)]
    if run.left_out:
        parts.append(f"Left out for want of time: {', '.join(run.left_out)}.")
    parts += [_figures(title, [row for row in rows if row.workload == name]) for name, title in TITLES.items()]
    parts.append(growth_table(rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def agreement(runs: list[Run]) -> str:
    """Each ratio in the last two runs of one depth, and whether they agree. Raises LookupError without two."""
    last = runs[-1]
    before = [run for run in runs[:-1] if run.header.depth == last.header.depth]
    if not before:
        raise LookupError(f"There is no second run of depth “{last.header.depth}” to compare with.")
    older = {(each.workload, each.what): each.value for each in ratios(before[-1].rows)}
    lines = [
        f"{before[-1].header.run} (commit {before[-1].header.commit}) and {last.header.run} ({last.header.commit}):",
        "",
        "| | what | before | last | apart | within 15 % |",
        "|---|---|--:|--:|--:|---|",
    ]
    for each in ratios(last.rows):
        known = older.get((each.workload, each.what))
        if known:
            apart = abs(log(each.value / known))
            verdict = "yes" if apart <= log(AGREES_WITHIN) else "**no**"
            shown = f"{known:.2f} × | {each.value:.2f} × | {exp(apart) - 1:.0%}"
            lines.append(f"| {each.workload} | {each.what} | {shown} | {verdict} |")
    return "\n".join(lines)


def write_into(page: Path, text: str) -> None:
    """Replace what stands between the page's two marks."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchmarkError(f"{page.name} has no place for tables: it needs the lines {BEGIN} and {END}.")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def best_peer(claim: Claim, rows: list[Row]) -> Row | None:
    def counts(row: Row) -> bool:
        is_peer = row.workload == claim.workload and row.contender != "easel" and row.case == claim.peer_case
        is_among = claim.among == "all" or (row.contender in RELAYS) == (claim.among == "relays")
        return is_peer and is_among and bool(row.figures.get(claim.figure))

    peers = sorted(filter(counts, rows), key=lambda row: row.figures[claim.figure] or 0)
    return None if not peers else peers[-1 if claim.is_more_better else 0]


def _preamble(header: Header) -> str:
    machine = header.machine
    return (
        f"Run {header.run} ({header.depth}), commit {header.commit}: {machine.processor}, {machine.cores} cores, "
        f"{machine.memory_gib} GiB, Linux {machine.kernel}, {machine.file_system}; Python {machine.python}, "
        f"Node {machine.node}; PostgreSQL {header.postgres}."
    )


def ratios(rows: list[Row]) -> list[Ratio]:
    return [ratio for ratio in (*(_claimed(claim, rows) for claim in CLAIMS), *_own_claims(rows)) if ratio]


def _ratio_table(rows: list[Row]) -> str:
    lines = [_line(ratio) for ratio in ratios(rows)]
    if not lines:
        return ""
    return "\n".join(["| | what | Easel | beside it | ratio | target | met |", "|---|---|--:|--:|--:|--:|---|", *lines])


def _claimed(claim: Claim, rows: list[Row]) -> Ratio | None:
    own = [row for row in rows if (row.workload, row.contender, row.case) == (claim.workload, "easel", claim.case)]
    best = best_peer(claim, rows)
    mine = own[-1].figures.get(claim.figure) if own else None
    theirs = best.figures.get(claim.figure) if best else None
    if not mine or not theirs or best is None:
        return None
    shown = (_bounded(own[-1], mine), f"{_bounded(best, theirs)} ({best.contender})")
    return Ratio(claim.workload, claim.what, shown, mine / theirs, claim.target, claim.is_more_better)


def _bounded(row: Row, value: float) -> str:
    """A number that the generator ended, not the server, is a lower bound."""
    return f"≥ {_number(value)}" if row.figures.get(LOWER_BOUND) else _number(value)


def _own_claims(rows: list[Row]) -> list[Ratio]:
    """What is held against Easel itself: a small document, one process."""
    costs = {row.case: total_us(row.figures) for row in rows if row.workload == "W6 size"}
    small, large = costs.get(SMALL), costs.get(LARGE)
    found = []
    if small and large:
        shown = (f"{_number(large)} µs at {LARGE} nodes", f"{_number(small)} µs at {SMALL}")
        found.append(Ratio("W6", "CPU of a stored operation", shown, large / small, 1.1, False))
    for row in rows:
        gain = row.figures.get("gain")
        if row.workload == "W10" and gain:
            busier, one = row.figures["busier_of_two_cpu"] or 0, row.figures["one_cpu"] or 0
            shown = (f"{busier:.2f} cores in the busier of two", f"{one:.2f} in one")
            found.append(Ratio("W10", row.case, shown, gain, 1.7, True))
    return found


def _line(ratio: Ratio) -> str:
    is_met = ratio.value >= ratio.target if ratio.is_more_better else ratio.value <= ratio.target
    sign, verdict = "≥" if ratio.is_more_better else "≤", "yes" if is_met else "no"
    shown = f"{ratio.shown[0]} | {ratio.shown[1]} | **{ratio.value:.2f} ×** | {sign} {ratio.target:g} ×"
    return f"| {ratio.workload} | {ratio.what} | {shown} | {verdict} |"


def _figures(title: str, rows: list[Row]) -> str:
    if not rows:
        return ""
    columns = list(dict.fromkeys(name for row in rows for name in row.figures))
    has_cases = any(row.case for row in rows)
    head = ["server", *(["case"] if has_cases else []), *(name.replace("_", " ") for name in columns)]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---|" * has_cases + "--:|" * len(columns)]
    for row in rows:
        cells = [
            row.contender,
            *([row.case] if has_cases else []),
            *(_number(row.figures.get(name)) for name in columns),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return f"### {title}\n\n" + "\n".join(lines)


def _number(value: float | None) -> str:
    return "" if value is None else number_shown(value)

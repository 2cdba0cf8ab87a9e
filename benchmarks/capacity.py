"""W1, W2, W3: the largest load that a server carries while everybody still sees everything in time."""

import msgspec

from benchmarks.bench import Bench
from benchmarks.contenders import Contender
from benchmarks.generator import DISTURBED_CORES, Load, Seen, holds
from benchmarks.results import LOWER_BOUND, Row
from benchmarks.search import Limit, in_turn

RECEIVERS = 100
EDITOR_HZ = 60  # what a browser sends while dragging, at most
ROOM_EDITORS, ROOM_HZ = 5, 20
STARTS = {
    ("W1", "easel", "push"): 10_000,
    ("W1", "easel", "drag"): 180_000,
    ("W1", "hocuspocus", ""): 3_000,
    ("W2", "easel", ""): 900,
    ("W3", "easel", ""): 350,
    ("W3", "node ws", ""): 170,
    ("W3", "tldraw sync-core", ""): 85,
}
ELSEWHERE = {"W1": 600, "W2": 32, "W3": 40}
MARKERS_PER_S = 400_000  # what the generator can parse beside reading everything
ATTEMPTS = 3
DRAG, PUSH = "drag", "push"


def measure_fan_out(bench: Bench) -> None:
    _measure(bench, "W1", [(bench.easel(), PUSH), (bench.easel(), DRAG), *((peer, "") for peer in bench.peers("W1"))])


def measure_editors(bench: Bench) -> None:
    _measure(bench, "W2", [(contender, "") for contender in bench.contenders("W2")])


def measure_rooms(bench: Bench) -> None:
    _measure(bench, "W3", [(contender, "") for contender in bench.contenders("W3")])


def load_of(workload: str, value: int, *, is_durable: bool = False) -> Load:
    match workload:
        case "W1":
            sample = value * RECEIVERS // MARKERS_PER_S + 1
            return Load(1, RECEIVERS + 1, 1, value, sample=sample, is_durable=is_durable)
        case "W2":
            return Load(1, value, value, EDITOR_HZ, sample=value * value * EDITOR_HZ // MARKERS_PER_S + 1)
        case _:
            return Load(value, ROOM_EDITORS, ROOM_EDITORS, ROOM_HZ)


def attempt(
    bench: Bench, workload: str, contender: Contender, value: int, load: Load, case: str = ""
) -> tuple[bool, Seen]:
    """One run against a fresh server; again while others disturb a run that fails."""
    has_passed, seen = False, Seen()
    for _ in range(ATTEMPTS):
        with contender.serving() as target:
            seen = bench.generator.run(target, load, merges_ms=contender.tick_ms)
        has_passed = holds(seen, load, contender.tick_ms)
        bench.results.probe(workload, f"{contender.name} {case}".strip(), value, seen, has_passed=has_passed)
        if has_passed or bench.is_late or seen.foreign < DISTURBED_CORES:
            break
    return has_passed, seen


def _measure(bench: Bench, workload: str, entries: list[tuple[Contender, str]]) -> None:
    depth = bench.depth

    def run(place: int, value: int) -> tuple[bool, Seen]:
        contender, case = entries[place]
        load = load_of(workload, value, is_durable=case == PUSH)
        load = msgspec.structs.replace(load, measured_s=depth.probe_s, warmup_s=depth.warmup_s)
        return attempt(bench, workload, contender, value, load, case)

    if bench.given_load is not None:
        for place, entry in enumerate(entries):
            _add(bench, workload, entry, Limit.given(bench.given_load, run(place, bench.given_load)[1]))
        return
    found = in_turn(
        [start_of(workload, *entry) for entry in entries],
        run,
        looks=depth.looks + 2 if workload == "W1" else depth.looks,  # the limits there vary most
        is_late=lambda: bench.is_late,
    )
    for entry, limit in zip(entries, found, strict=True):
        if limit is None and bench.is_late:
            bench.results.leave_out(f"{workload} {entry[0].name}", "no load had passed when the time was up")
        else:
            _add(bench, workload, entry, limit)


def start_of(workload: str, contender: Contender, case: str) -> int:
    """About what this one carried the last time we looked: a search from there is short."""
    return STARTS.get((workload, contender.name, case), ELSEWHERE[workload])


def _add(bench: Bench, workload: str, entry: tuple[Contender, str], limit: Limit[Seen] | None) -> None:
    contender, case = entry
    figures: dict[str, float | None] = {"load": 0}
    if limit is not None:
        figures = _figures(workload, limit.load, limit.seen)
        figures |= {"least": limit.least, "most": limit.most, "looks": limit.looks}
        if limit.is_lower_bound:
            figures[LOWER_BOUND] = 1
    bench.results.add(Row(workload, contender.name, figures, case))


def _figures(workload: str, value: int, seen: Seen) -> dict[str, float | None]:
    figures: dict[str, float | None] = {
        "load": value,
        "p50_ms": seen.p50,
        "p99_ms": seen.p99,
        "server_cpu": seen.srv_cpu,
        "generator_cpu": seen.gen_cpu,
        "frames_per_s": seen.frames_per_s,
        "mb_per_s": seen.mb_per_s,
        "ratio": min(1.0, seen.ratio),
    }
    if workload == "W1":
        # Values that a newer one replaced before a tick were never shown: they do not count.
        figures["delivered_per_s"] = round(value * RECEIVERS * min(1.0, seen.ratio))
    if workload == "W2":
        figures["shown_hz"] = round(EDITOR_HZ * min(1.0, seen.ratio), 1)
    if seen.acked:
        figures["stored_p99_ms"] = seen.ack_p99
    if seen.is_generator_bound:
        figures[LOWER_BOUND] = 1
    return figures

"""W1, W2, W3: the largest load that a server carries while everybody still sees everything in time."""

import msgspec

from benchmarks.bench import Bench
from benchmarks.contenders import Contender
from benchmarks.generator import DISTURBED_CORES, Load, Seen, holds
from benchmarks.results import Row
from benchmarks.search import Attempt, confirmed, highest

RECEIVERS = 100
EDITOR_HZ = 60  # what a browser sends while dragging, at most
ROOM_EDITORS, ROOM_HZ = 5, 20
STARTS = {"W1": 600, "W2": 32, "W3": 40}
MARKERS_PER_S = 400_000  # what the generator can parse beside reading everything
HOPELESS_P99_MS = 1000  # past this a second try would show the same
ATTEMPTS = 3
DRAG, PUSH = "drag", "push"


def measure_fan_out(bench: Bench) -> None:
    _search(bench, "W1", bench.easel(), PUSH)
    _search(bench, "W1", bench.easel(), DRAG)
    for peer in bench.peers("W1"):
        _search(bench, "W1", peer)


def measure_editors(bench: Bench) -> None:
    for contender in bench.contenders("W2"):
        _search(bench, "W2", contender)


def measure_rooms(bench: Bench) -> None:
    for contender in bench.contenders("W3"):
        _search(bench, "W3", contender)


def load_of(workload: str, value: int, *, is_durable: bool = False) -> Load:
    match workload:
        case "W1":
            sample = value * RECEIVERS // MARKERS_PER_S + 1
            return Load(1, RECEIVERS + 1, 1, value, sample=sample, is_durable=is_durable)
        case "W2":
            return Load(1, value, value, EDITOR_HZ, sample=value * value * EDITOR_HZ // MARKERS_PER_S + 1)
        case _:
            return Load(value, ROOM_EDITORS, ROOM_EDITORS, ROOM_HZ)


def attempt(bench: Bench, workload: str, contender: Contender, value: int, load: Load) -> tuple[bool, Seen]:
    """One run against a fresh server; again while others disturb a run that fails."""
    has_passed, seen = False, Seen()
    for _ in range(ATTEMPTS):
        with contender.serving() as target:
            seen = bench.generator.run(target, load, merges_ms=contender.tick_ms)
        has_passed = holds(seen, load, contender.tick_ms)
        bench.results.probe(workload, contender.name, value, seen, has_passed=has_passed)
        if has_passed or seen.foreign < DISTURBED_CORES:
            break
    return has_passed, seen


def _search(bench: Bench, workload: str, contender: Contender, case: str = "") -> None:
    depth = bench.depth

    def run(value: int, measured_s: float, warmup_s: float) -> tuple[bool, Seen]:
        load = load_of(workload, value, is_durable=case == PUSH)
        load = msgspec.structs.replace(load, measured_s=measured_s, warmup_s=warmup_s)
        return attempt(bench, workload, contender, value, load)

    def probe(value: int) -> Attempt:
        has_passed, seen = run(value, depth.probe_s, depth.warmup_s)
        if not has_passed and seen.p99 < HOPELESS_P99_MS:  # a single stall is not the server's limit
            has_passed, seen = run(value, depth.probe_s, depth.warmup_s)
        return Attempt(has_passed, seen.srv_cpu)

    def confirm(value: int) -> tuple[bool, Seen]:
        return run(value, depth.confirm_s if workload == "W2" else min(5, depth.confirm_s), 2)

    if bench.given_load is not None:
        _, seen = confirm(bench.given_load)
        bench.results.add(Row(workload, contender.name, _figures(workload, bench.given_load, seen), case))
        return
    found = highest(probe, STARTS[workload], depth.tolerance, is_quadratic=workload == "W2")
    best = confirmed(found, depth.confirm_runs, confirm, lambda seen: seen.p99)
    figures: dict[str, float | None] = {"load": 0} if best is None else _figures(workload, *best)
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
    return figures

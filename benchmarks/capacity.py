"""The largest load that a server carries while everybody still sees everything in time: W2, W3, the drags of W1."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from benchmarks import machine
from benchmarks.bench import Bench
from benchmarks.contenders import Contender, Target
from benchmarks.generator import Load, Seen, holds
from benchmarks.results import LOWER_BOUND, Row
from benchmarks.search import Limit, in_turn

RECEIVERS = 100
EDITOR_HZ = 60  # what a browser sends while dragging, at most
ROOM_EDITORS, ROOM_HZ = 5, 20
STARTS = {
    ("W1", "easel", "drag"): 220_000,
    ("W2", "easel", ""): 950,
    ("W2", "hocuspocus", ""): 120,
    ("W3", "easel", ""): 340,
    ("W3", "node ws", ""): 165,
    ("W3", "tldraw sync-core", ""): 90,
}
ELSEWHERE = {"W1": 600, "W2": 32, "W3": 40}
MARKERS_PER_S = 400_000  # what the generator can parse beside reading everything
ATTEMPTS = 3
SILENT = 2  # tries in a row
DRAG, PUSH = "drag", "push"


def measure_editors(bench: Bench) -> None:
    _measure_all(bench, "W2")


def measure_rooms(bench: Bench) -> None:
    _measure_all(bench, "W3")


def _measure_all(bench: Bench, workload: str) -> None:
    entries = [(contender, "") for contender in bench.contenders(workload)]
    measure(bench, workload, entries, looks=bench.depth.looks, servers=bench.depth.servers)


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
    bench: Bench, workload: str, contender: Contender, target: Target, value: int, load: Load, case: str = ""
) -> tuple[bool, Seen]:
    """One run; again while others disturb a run that fails."""
    has_passed, seen = False, Seen()
    for _ in range(ATTEMPTS):
        seen = bench.generator.run(target, load, merges_ms=contender.tick_ms)
        has_passed = holds(seen, load, contender.tick_ms)
        bench.results.probe(workload, f"{contender.name} {case}".strip(), value, seen, has_passed=has_passed)
        if not has_passed:
            machine.wait_until_quiet(target.pids)  # who comes next may share its core
        if has_passed or bench.is_late or not seen.is_disturbed:
            break
    return has_passed, seen


def measure(bench: Bench, workload: str, entries: list[tuple[Contender, str]], *, looks: int, servers: int) -> None:
    @contextmanager
    def serving(place: int) -> Iterator[Callable[[int], tuple[bool, Seen]]]:
        contender, case = entries[place]
        with ExitStack() as stack:
            target, silent = stack.enter_context(contender.serving()), 0

            def run(value: int) -> tuple[bool, Seen]:
                nonlocal target, silent
                load = bench.depth.tried(load_of(workload, value, is_durable=case == PUSH))
                has_passed, seen = attempt(bench, workload, contender, target, value, load, case)
                silent = silent + 1 if seen.latency_ms is None else 0
                if silent == SILENT:  # it will not come back: pycrdt-websocket has hung since it was asked too much
                    stack.close()
                    target, silent = stack.enter_context(contender.serving()), 0
                return has_passed, seen

            yield run

    if bench.given_load is not None:
        for place, entry in enumerate(entries):
            with serving(place) as run:
                _add(bench, workload, entry, Limit.given(bench.given_load, run(bench.given_load)[1]))
        return
    found = in_turn(
        [start_of(workload, *entry) for entry in entries],
        serving,
        looks=looks,
        servers=servers,
        pace_of=lambda seen: seen.pace_us,
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

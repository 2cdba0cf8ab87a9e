"""W6: operations that are stored before they are acknowledged; and that one costs the same in a large document."""

import msgspec

from benchmarks import machine
from benchmarks.bench import Bench
from benchmarks.generator import DISTURBED_CORES, Load, Seen, holds
from benchmarks.results import Row
from benchmarks.search import Attempt, confirmed, highest

START = 400
SHAPES = ((1, 1), (1, 10), (1, 100), (100, 1))  # rooms, editors in each
FULL_SHAPES = (*SHAPES, (1, 30), (100, 5))
SIZES = (10, 1_000, 10_000)  # nodes
SIZE_EDITORS, SIZE_HZ = 4, 50
SIZE_MEASURED_S = 4.0


def measure_durable(bench: Bench) -> None:
    for rooms, editors in FULL_SHAPES if bench.depth.name == "full" else SHAPES:
        _search(bench, rooms, editors)
    for node_count in SIZES:
        _cost(bench, node_count)


def load_of(rooms: int, editors: int, per_s: int) -> Load:
    """`per_s` pushes a second in all. Only one client a room parses what the others pushed."""
    return Load(rooms, editors, editors, per_s / (rooms * editors), sample=editors, is_durable=True)


def _run(bench: Bench, load: Load, node_count: int = 0) -> tuple[Seen, float]:
    """What was seen, and the database's CPU seconds in the whole run."""
    with bench.easel().holding(node_count) as target:
        before = machine.cpu_s(machine.tree(bench.databases.postgres_pid))
        seen = bench.generator.run(target, load)
        return seen, machine.cpu_s(machine.tree(bench.databases.postgres_pid)) - before


def _search(bench: Bench, rooms: int, editors: int) -> None:
    depth, case = bench.depth, f"{rooms} × {editors}"

    def run(per_s: int, measured_s: float) -> tuple[bool, Seen]:
        load = msgspec.structs.replace(load_of(rooms, editors, per_s), measured_s=measured_s, warmup_s=depth.warmup_s)
        seen, _ = _run(bench, load)
        if seen.foreign >= DISTURBED_CORES and not holds(seen, load, None):
            seen, _ = _run(bench, load)
        has_passed = holds(seen, load, None)
        bench.results.probe("W6", f"easel {case}", per_s, seen, has_passed=has_passed)
        return has_passed, seen

    def probe(per_s: int) -> Attempt:
        has_passed, seen = run(per_s, depth.probe_s)
        return Attempt(has_passed, seen.srv_cpu)

    if bench.given_load is not None:
        best: tuple[int, Seen] | None = bench.given_load, run(bench.given_load, depth.probe_s)[1]
    else:
        found = highest(probe, START, depth.tolerance)
        best = confirmed(found, depth.confirm_runs, lambda per_s: run(per_s, min(5, depth.confirm_s)), _stored_p99)
    figures: dict[str, float | None] = {"per_s": 0}
    if best is not None:
        per_s, seen = best
        figures = {
            "per_s": per_s,
            "stored_p50_ms": seen.ack_p50,
            "stored_p99_ms": seen.ack_p99,
            "server_cpu": seen.srv_cpu,
            "generator_cpu": seen.gen_cpu,
        }
    bench.results.add(Row("W6", "easel", figures, case))


def _stored_p99(seen: Seen) -> float:
    return seen.ack_p99


def _cost(bench: Bench, node_count: int) -> None:
    load = msgspec.structs.replace(
        load_of(1, SIZE_EDITORS, SIZE_EDITORS * SIZE_HZ), measured_s=SIZE_MEASURED_S, warmup_s=1.0
    )
    seen, database_s = _run(bench, load, node_count)
    per_s = seen.acked / load.measured_s
    pushes = SIZE_EDITORS * SIZE_HZ * (load.warmup_s + load.measured_s)
    figures: dict[str, float | None] = {
        "server_us_per_op": round(seen.srv_cpu / per_s * 1e6) if per_s else None,
        "database_us_per_op": round(database_s / pushes * 1e6),
        "stored_p50_ms": seen.ack_p50,
        "stored_p99_ms": seen.ack_p99,
    }
    bench.results.add(Row("W6 size", "easel", figures, f"{node_count}"))

"""W6: operations that are stored before they are acknowledged; and that one costs the same in a large document."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from benchmarks.bench import Bench
from benchmarks.generator import Load, Seen, holds
from benchmarks.results import LOWER_BOUND, Row
from benchmarks.search import Limit, in_turn

STARTS = {(1, 10): 11_000, (1, 100): 6_500, (100, 1): 2_000}
ELSEWHERE = 2_000
SHAPES = ((1, 10), (1, 100), (100, 1))  # rooms, editors in each
ALL_SHAPES = (*SHAPES, (1, 1), (1, 30), (100, 5))
SIZES = (10, 1_000, 10_000)  # nodes
SIZE_EDITORS, SIZE_HZ = 4, 50
SIZE_MEASURED_S = 2.5


def measure_durable(bench: Bench) -> None:
    _search(bench, ALL_SHAPES if bench.depth.name == "thorough" else SHAPES)
    _costs(bench)


def load_of(rooms: int, editors: int, per_s: int) -> Load:
    """`per_s` pushes a second in all. Only one client a room parses what the others pushed."""
    return Load(rooms, editors, editors, per_s / (rooms * editors), sample=editors, is_durable=True)


def run_of(bench: Bench, load: Load, node_count: int = 0) -> Seen:
    with bench.easel().holding(node_count) as target:
        return bench.generator.run(target, load)


def _search(bench: Bench, shapes: tuple[tuple[int, int], ...]) -> None:
    @contextmanager
    def serving(place: int) -> Iterator[Callable[[int], tuple[bool, Seen]]]:
        with bench.easel().serving() as target:

            def run(per_s: int) -> tuple[bool, Seen]:
                load = bench.depth.tried(load_of(*shapes[place], per_s))
                seen = bench.generator.run(target, load)
                has_passed = holds(seen, load, None)
                bench.results.probe("W6", f"easel {_named(shapes[place])}", per_s, seen, has_passed=has_passed)
                return has_passed, seen

            yield run

    if bench.given_load is not None:
        for place, shape in enumerate(shapes):
            with serving(place) as run:
                _add(bench, shape, Limit.given(bench.given_load, run(bench.given_load)[1]))
        return
    found = in_turn(
        [STARTS.get(shape, ELSEWHERE) for shape in shapes],
        serving,
        looks=bench.depth.looks // 2,  # held against nobody
        servers=1,
        pace_of=lambda seen: seen.pace_us,
        is_late=lambda: bench.is_late,
    )
    for shape, limit in zip(shapes, found, strict=True):
        if limit is None and bench.is_late:
            bench.results.leave_out(f"W6 {_named(shape)}", "no load had passed when the time was up")
        else:
            _add(bench, shape, limit)


def _named(shape: tuple[int, int]) -> str:
    return f"{shape[0]} × {shape[1]}"


def _add(bench: Bench, shape: tuple[int, int], limit: Limit[Seen] | None) -> None:
    figures: dict[str, float | None] = {"per_s": 0}
    if limit is not None:
        seen = limit.seen
        figures = {
            "per_s": limit.load,
            "stored_p50_ms": seen.ack_p50,
            "stored_p99_ms": seen.ack_p99,
            "server_cpu": seen.srv_cpu,
            "generator_cpu": seen.gen_cpu,
            "least": limit.least,
            "most": limit.most,
            "looks": limit.looks,
        }
        if seen.is_generator_bound or limit.is_lower_bound:
            figures[LOWER_BOUND] = 1
    bench.results.add(Row("W6", "easel", figures, _named(shape)))


def _costs(bench: Bench) -> None:
    """Rounds over all sizes in turn; of each size the round in the middle."""
    found: dict[int, list[dict[str, float | None]]] = {size: [] for size in SIZES}
    for number in range(bench.depth.rounds):
        if number and bench.is_late:
            break
        for size, rounds in found.items():
            rounds.append(_cost(bench, size))
    for size, rounds in found.items():
        rounds.sort(key=total_us)
        figures = rounds[len(rounds) // 2] | {"least_us": total_us(rounds[0]), "most_us": total_us(rounds[-1])}
        bench.results.add(Row("W6 size", "easel", figures, f"{size}"))


def _cost(bench: Bench, node_count: int) -> dict[str, float | None]:
    load = msgspec.structs.replace(
        load_of(1, SIZE_EDITORS, SIZE_EDITORS * SIZE_HZ), measured_s=SIZE_MEASURED_S, warmup_s=1.0
    )
    seen = run_of(bench, load, node_count)
    per_s = seen.acked / load.measured_s
    return {
        "server_us_per_op": round(seen.srv_cpu / per_s * 1e6) if per_s else None,
        "database_us_per_op": round(seen.beside_cpu / per_s * 1e6) if per_s else None,
        "stored_p50_ms": seen.ack_p50,
        "stored_p99_ms": seen.ack_p99,
    }


def total_us(figures: dict[str, float | None]) -> float:
    """CPU of the server and of the database, for one operation."""
    return (figures["server_us_per_op"] or 0) + (figures["database_us_per_op"] or 0)

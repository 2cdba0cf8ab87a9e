"""W6: operations that are stored before they are acknowledged; and that one costs the same in a large document."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from statistics import fmean

import msgspec

from benchmarks import machine
from benchmarks.bench import Bench
from benchmarks.errors import BenchmarkError
from benchmarks.generator import Load, Seen, holds
from benchmarks.results import LOWER_BOUND, Row
from benchmarks.search import Limit, in_turn

STARTS = {(1, 10): 11_000, (1, 100): 6_500, (100, 1): 2_000}
ELSEWHERE = 2_000
SHAPES = ((1, 10), (1, 100), (100, 1))  # rooms, editors in each
ALL_SHAPES = (*SHAPES, (1, 1), (1, 30), (100, 5))
SIZES = (10, 1_000, 10_000)  # nodes
SIZE_EDITORS, SIZE_HZ = 4, 50
SIZE_ROUNDS, SIZE_WARM_UP_S, SIZE_MEASURED_S = 20, 0.6, 1.0
BETWEEN_EVERY = 4
"""Rounds for one of a size that no ratio is of."""


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
        warm_ups=1,
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
    """Short rounds over all sizes in turn, told at the mean pace of all; of each size the mean of the middle half."""
    load = msgspec.structs.replace(
        load_of(1, SIZE_EDITORS, SIZE_EDITORS * SIZE_HZ), measured_s=SIZE_MEASURED_S, warmup_s=SIZE_WARM_UP_S
    )
    found: dict[int, list[Seen]] = {size: [] for size in SIZES}
    with ExitStack() as stack:
        targets = {size: stack.enter_context(bench.easel().holding(size)) for size in SIZES}
        for number in range(SIZE_ROUNDS if bench.depth.rounds > 1 else 1):
            if number and bench.is_late:
                break
            for size, rounds in found.items():
                if size in (SIZES[0], SIZES[-1]) or number % BETWEEN_EVERY == 0:
                    rounds.append(bench.generator.run(targets[size], load))
    cores = (machine.SERVER_CORE, machine.LOAD_CORE)
    paces = {
        size: [tuple(bench.pace.us(core, each.began, each.ended) for core in cores) for each in rounds]
        for size, rounds in found.items()
    }
    usual = [fmean(us[place] for of_size in paces.values() for us in of_size) for place in range(len(cores))]
    for size, rounds in found.items():
        costs = [
            _cost(seen, load, usual[0] / server_us, usual[1] / database_us)
            for seen, (server_us, database_us) in zip(rounds, paces[size], strict=True)
        ]
        bench.results.add(Row("W6 size", "easel", of_rounds(costs), f"{size}"))


def of_rounds(costs: list[dict[str, float]]) -> dict[str, float | None]:
    """The mean of the middle half: a neighbour on the machine makes single rounds twice as dear."""
    costs = sorted(costs, key=total_us)
    quarter = len(costs) // 4
    middle = costs[quarter : len(costs) - quarter]
    means: dict[str, float | None] = {name: round(fmean(each[name] for each in middle), 2) for name in middle[0]}
    return means | {"least_us": round(total_us(costs[0])), "most_us": round(total_us(costs[-1])), "rounds": len(costs)}


def _cost(seen: Seen, load: Load, server: float, database: float) -> dict[str, float]:
    """`server` and `database`: how much faster than usual their cores were, so much more their CPU counts."""
    if not seen.acked:
        raise BenchmarkError(f"W6 size: nothing was stored in a round. {seen.error}".strip())
    per_s = seen.acked / load.measured_s
    return {
        "server_us_per_op": seen.srv_cpu * server / per_s * 1e6,
        "database_us_per_op": seen.beside_cpu * database / per_s * 1e6,
        "stored_p50_ms": seen.ack_p50,
        "stored_p99_ms": seen.ack_p99,
    }


def total_us(figures: Mapping[str, float | None]) -> float:
    """CPU of the server and of the database, for one operation."""
    return (figures["server_us_per_op"] or 0) + (figures["database_us_per_op"] or 0)

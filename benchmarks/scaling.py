"""W10: two server processes against one, at the same load.

The generator and the databases need a core, so two cores cannot show twice the load. What can be shown is how much of
the work leaves the first process: its CPU for a load, over that of the busier of two that share the load.
"""

from contextlib import ExitStack
from statistics import fmean, median

from benchmarks import machine
from benchmarks.bench import Bench
from benchmarks.capacity import EDITOR_HZ, ROOM_EDITORS, ROOM_HZ
from benchmarks.contenders import Target
from benchmarks.generator import Load, Seen
from benchmarks.results import Row

SHARE = 0.5  # of the largest load found: both cores still have air
EDITORS, ROOMS = 60, 40  # when it was not searched in this run
ROUNDS, WARM_UP_S, MEASURED_S = 4, 1.0, 1.5


def measure_processes(bench: Bench) -> None:
    found = {row.workload: row.figures.get("load") for row in bench.results.rows if row.contender == "easel"}
    editors = int((found.get("W2") or EDITORS / SHARE) * SHARE)
    rooms = int((found.get("W3") or ROOMS / SHARE) * SHARE)
    one_room = Load(1, editors, editors, EDITOR_HZ, WARM_UP_S, MEASURED_S, sample=editors // 8 + 1)
    many = Load(rooms, ROOM_EDITORS, ROOM_EDITORS, ROOM_HZ, WARM_UP_S, MEASURED_S)
    _compare(bench, "one room, its editors on both", one_room, "clients")
    _compare(bench, "many rooms, each whole on one", many, "rooms")
    few = Load(max(1, rooms // 2), ROOM_EDITORS, ROOM_EDITORS, ROOM_HZ, WARM_UP_S, MEASURED_S)
    _compare(bench, "many rooms, their editors on both", few, "clients")  # more would not fit beside the generator


def _compare(bench: Bench, case: str, load: Load, spread: str) -> None:
    """Rounds of one process and of two in turn; the mean of each. The first round does not count."""
    rounds = list[tuple[Seen, Seen]]()
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(bench.easel(processes=processes, spread=spread).serving()) for processes in (1, 2)
        )
        for number in range(ROUNDS + 1):
            if number > 1 and bench.is_late:
                break
            rounds.append((_run(bench, one, 1, load), _run(bench, two, 2, load)))
    shape = {"rooms": load.rooms, "editors": load.clients}
    bench.results.add(Row("W10", "easel", shape | _figures(bench, rounds[1:]), case))


def _figures(bench: Bench, rounds: list[tuple[Seen, Seen]]) -> dict[str, float | None]:
    """CPU is as it would have been had every core always had the mean of their paces."""
    ones, busiers = [_work(bench, one) for one, _ in rounds], [_work(bench, two) for _, two in rounds]
    usual_us = fmean(each.pace_us for both in rounds for each in both)
    gains = [one / busier for one, busier in zip(ones, busiers, strict=True) if busier]
    return {
        "one_cpu": round(fmean(ones) * usual_us, 3),
        "busier_of_two_cpu": round(fmean(busiers) * usual_us, 3),
        "gain": round(fmean(ones) / fmean(busiers), 2) if all(busiers) else None,
        "one_p99_ms": median(each.p99 for each, _ in rounds),
        "two_p99_ms": median(each.p99 for _, each in rounds),
        "one_ratio": median(each.ratio for each, _ in rounds),
        "two_ratio": median(each.ratio for _, each in rounds),
        "least": round(min(gains), 2) if gains else None,
        "most": round(max(gains), 2) if gains else None,
    }


def _work(bench: Bench, seen: Seen) -> float:
    """Of the busiest process: its CPU, in cores, over how long the same work took its core (µs)."""
    cores = (machine.SERVER_CORE, machine.second_server_core())
    shares = zip(seen.cpu_each, cores, strict=False)
    return max((cpu / bench.pace.us(core, seen.began, seen.ended) for cpu, core in shares), default=0.0)


def _run(bench: Bench, target: Target, processes: int, load: Load) -> Seen:
    seen = bench.generator.run(target, load, merges_ms=bench.easel().tick_ms)
    has_passed = not (seen.error or seen.errors or seen.closed)
    bench.results.probe("W10", f"easel, {processes} processes", load.rooms, seen, has_passed=has_passed)
    return seen

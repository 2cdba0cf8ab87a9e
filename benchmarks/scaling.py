"""W10: two server processes against one, at the same load.

The generator and the databases need a core, so two cores cannot show twice the load. What can be shown is how much of
the work leaves the first process: its CPU for a load, over that of the busier of two that share the load.
"""

from statistics import mean, median

from benchmarks.bench import Bench
from benchmarks.capacity import EDITOR_HZ, ROOM_EDITORS, ROOM_HZ
from benchmarks.generator import Load, Seen
from benchmarks.results import Row

SHARE = 0.5  # of the largest load found: both cores still have air
EDITORS, ROOMS = 60, 40  # when it was not searched in this run
MEASURED_S = 4.5


def measure_processes(bench: Bench) -> None:
    found = {row.workload: row.figures.get("load") for row in bench.results.rows if row.contender == "easel"}
    editors = int((found.get("W2") or EDITORS / SHARE) * SHARE)
    rooms = int((found.get("W3") or ROOMS / SHARE) * SHARE)
    one_room = Load(1, editors, editors, EDITOR_HZ, sample=editors // 8 + 1, measured_s=MEASURED_S)
    many = Load(rooms, ROOM_EDITORS, ROOM_EDITORS, ROOM_HZ, measured_s=MEASURED_S)
    _compare(bench, "one room, its editors on both", one_room, "clients")
    _compare(bench, "many rooms, each whole on one", many, "rooms")
    _compare(bench, "many rooms, their editors on both", many, "clients")


def _compare(bench: Bench, case: str, load: Load, spread: str) -> None:
    """Rounds of one process and of two in turn; the mean of each."""
    rounds = []
    for number in range(bench.depth.rounds):
        if number and bench.is_late:
            break
        rounds.append((_run(bench, 1, load, spread), _run(bench, 2, load, spread)))
    shape = {"rooms": load.rooms, "editors": load.clients}
    bench.results.add(Row("W10", "easel", shape | _figures(rounds), case))


def _figures(rounds: list[tuple[Seen, Seen]]) -> dict[str, float | None]:
    one, busier = mean(each.srv_cpu for each, _ in rounds), mean(map(_busier, (each for _, each in rounds)))
    gains = [each.srv_cpu / _busier(two) for each, two in rounds if _busier(two)]
    return {
        "one_cpu": round(one, 3),
        "busier_of_two_cpu": round(busier, 3),
        "gain": round(one / busier, 2) if busier else None,
        "one_p99_ms": median(each.p99 for each, _ in rounds),
        "two_p99_ms": median(each.p99 for _, each in rounds),
        "one_ratio": median(each.ratio for each, _ in rounds),
        "two_ratio": median(each.ratio for _, each in rounds),
        "least": round(min(gains), 2) if gains else None,
        "most": round(max(gains), 2) if gains else None,
    }


def _busier(two: Seen) -> float:
    return max(two.cpu_each[:2], default=0.0)


def _run(bench: Bench, processes: int, load: Load, spread: str) -> Seen:
    easel = bench.easel(processes=processes, spread=spread)
    with easel.serving() as target:
        seen = bench.generator.run(target, load, merges_ms=easel.tick_ms)
    has_passed = not (seen.error or seen.errors or seen.closed)
    bench.results.probe("W10", f"easel, {processes} processes", load.rooms, seen, has_passed=has_passed)
    return seen

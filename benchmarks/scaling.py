"""W10: two server processes against one, at the same load.

The generator and the databases need a core, so two cores cannot show twice the load. What can be shown is how much of
the work leaves the first process: its CPU for a load, over that of the busier of two that share the load.
"""

from benchmarks.bench import Bench
from benchmarks.capacity import EDITOR_HZ, ROOM_EDITORS, ROOM_HZ
from benchmarks.generator import Load, Seen
from benchmarks.results import Row

SHARE = 0.5  # of the largest load found: both cores still have air
EDITORS, ROOMS = 60, 40  # when it was not searched in this run
MEASURED_S = 2.5


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
    """Rounds of one process and of two in turn; the round whose gain is in the middle."""
    rounds = []
    for number in range(bench.depth.rounds):
        if number and bench.is_late:
            break
        rounds.append(_gain(_run(bench, 1, load, spread), _run(bench, 2, load, spread)))
    rounds.sort(key=lambda each: each["gain"] or 0)
    shape = {"rooms": load.rooms, "editors": load.clients}
    spread_of_rounds = {"least": rounds[0]["gain"], "most": rounds[-1]["gain"]}
    bench.results.add(Row("W10", "easel", shape | rounds[len(rounds) // 2] | spread_of_rounds, case))


def _gain(one: Seen, two: Seen) -> dict[str, float | None]:
    busier = max(two.cpu_each[:2], default=0.0)
    return {
        "one_cpu": one.srv_cpu,
        "busier_of_two_cpu": busier,
        "gain": round(one.srv_cpu / busier, 2) if busier else None,
        "one_p99_ms": one.p99,
        "two_p99_ms": two.p99,
        "one_ratio": one.ratio,
        "two_ratio": two.ratio,
    }


def _run(bench: Bench, processes: int, load: Load, spread: str) -> Seen:
    easel = bench.easel(processes=processes, spread=spread)
    with easel.serving() as target:
        seen = bench.generator.run(target, load, merges_ms=easel.tick_ms)
    has_passed = not (seen.error or seen.errors or seen.closed)
    bench.results.probe("W10", f"easel, {processes} processes", load.rooms, seen, has_passed=has_passed)
    return seen

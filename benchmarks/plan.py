"""How many of what so many editors need, from what a run of the benchmarks has measured. No I/O.

Linear on purpose: `growth` is there to find what does not grow linearly, and the checks say how far off this is.
"""

from collections.abc import Iterable
from math import ceil

import msgspec

from benchmarks.capacity import ROOM_EDITORS, ROOM_HZ
from benchmarks.results import Row
from benchmarks.slopes import CONNECTIONS, ROOMS, shown

BUSY = 0.6
"""Of every core, link and machine: the rest is for peaks and for the one that has just failed."""
EDITORS = (1_000, 10_000, 100_000, 1_000_000)
OPERATION_ROOMS, CONNECTION_COUNT = "100", "1000"
"""Whose costs count: many small rooms, many connections."""
WHOLE_ROOMS = "many rooms, each whole on one"
ONE_WORKER, TWO_WORKERS = "local provider", "local provider, two workers"
RUN_MESSAGES = 10
"""To Redis for one run: the bell in and out, its key, and a hint for each of its events."""
OPERATION_LOG_BYTES = 400
"""A row of the log and of the numbered pushes, with their index entries."""


class Profile(msgspec.Struct, frozen=True):
    """What editors do: assumptions, not measurements."""

    dragging: float = 0.1
    """Share of them at any moment, at 20 Hz in rooms of five."""
    operations_per_s: float = 0.2
    runs_per_hour: float = 6.0
    on_other_process: float = 0.0
    """Share of rooms whose editors are on several servers; 0 where the proxy sends a workflow to one."""


class Limits(msgspec.Struct, frozen=True):
    """Of one of each, assumed: machines that can be bought."""

    postgres_cores: int = 32
    redis_messages_per_s: float = 100_000
    link_mb_per_s: float = 1_250
    """Ten gigabit."""


class Costs(msgspec.Struct, frozen=True):
    """Measured, each of one."""

    move_us: float
    """Server, one drag message in a room of five: heard, merged, told to four."""
    move_bytes: float
    """Sent for it, to all four."""
    operation_us: float
    database_us: float
    connection_kb: float
    run_worker_s: float


class Needs(msgspec.Struct, frozen=True):
    editors: int
    rooms: int
    server_cores: int
    worker_cores: int
    postgres_cores: float
    commits_per_s: float
    redis_messages_per_s: float
    runs_per_s: float
    out_mb_per_s: float
    connections_gb: float
    log_gb_per_day: float


def costs_of(rows: Iterable[Row]) -> Costs | None:
    """None while something that the model needs was not measured."""
    known = {(row.workload, row.case): row.figures for row in rows if row.contender == "easel"}
    small_rooms, operation = known.get(("W3", ""), {}), known.get((ROOMS, OPERATION_ROOMS), {})
    idle, run = known.get((CONNECTIONS, CONNECTION_COUNT), {}), known.get(("W7", ONE_WORKER), {})
    rooms, cpu, mb_per_s = (small_rooms.get(name) for name in ("load", "server_cpu", "mb_per_s"))
    server_us, database_us = operation.get("server_us"), operation.get("database_us")
    kb, worker_s = idle.get("kb"), run.get("worker_s_per_run")
    if not (rooms and cpu and mb_per_s and server_us and database_us and kb and worker_s):
        return None
    moves_per_s = rooms * ROOM_EDITORS * ROOM_HZ
    return Costs(cpu * 1e6 / moves_per_s, mb_per_s * 1e6 / moves_per_s, server_us, database_us, kb, worker_s)


def needs(editors: int, costs: Costs, profile: Profile) -> Needs:
    moves_per_s = editors * profile.dragging * ROOM_HZ
    operations_per_s = editors * profile.operations_per_s
    runs_per_s = editors * profile.runs_per_hour / 3600
    cores = (moves_per_s * costs.move_us + operations_per_s * costs.operation_us) / 1e6
    told_apart = profile.on_other_process * (moves_per_s + operations_per_s)
    return Needs(
        editors=editors,
        rooms=ceil(editors / ROOM_EDITORS),
        server_cores=ceil(cores / BUSY),
        worker_cores=ceil(runs_per_s * costs.run_worker_s / BUSY),
        postgres_cores=operations_per_s * costs.database_us / 1e6 / BUSY,
        commits_per_s=operations_per_s,  # small rooms: hardly two pushes meet in one commit
        redis_messages_per_s=told_apart + runs_per_s * RUN_MESSAGES,
        runs_per_s=runs_per_s,
        out_mb_per_s=moves_per_s * costs.move_bytes / 1e6,
        connections_gb=editors * costs.connection_kb / 1e6,
        log_gb_per_day=operations_per_s * OPERATION_LOG_BYTES * 86_400 / 1e9,
    )


def ends_at(costs: Costs, profile: Profile, limits: Limits) -> list[tuple[str, int]]:
    """With how many editors one of each is full, the first to be so first."""
    one = needs(1_000_000, costs, profile)
    full = {
        "one server core": one.server_cores,
        "one worker core": one.worker_cores,
        f"one PostgreSQL of {limits.postgres_cores} cores": one.postgres_cores / limits.postgres_cores,
        "one Redis thread": one.redis_messages_per_s / limits.redis_messages_per_s / BUSY,
        "one link of ten gigabit": one.out_mb_per_s / limits.link_mb_per_s / BUSY,
    }
    return sorted(((what, round(1_000_000 / times)) for what, times in full.items() if times), key=lambda each: each[1])


class Check(msgspec.Struct, frozen=True):
    what: str
    unit: str
    predicted: float
    measured: float


def checks(rows: Iterable[Row]) -> list[Check]:
    """Predictions for two of something, from costs of one, beside what two were seen to do."""
    rows = list(rows)
    known = {(row.workload, row.case): row.figures for row in rows if row.contender == "easel"}
    found = []
    costs, two = costs_of(rows), known.get(("W10", WHOLE_ROOMS), {})
    rooms, one_cpu, busier = (two.get(name) for name in ("rooms", "one_cpu", "busier_of_two_cpu"))
    if costs and rooms and one_cpu and busier:
        cores = rooms * ROOM_EDITORS * ROOM_HZ * costs.move_us / 1e6
        found.append(Check(f"one server with {rooms:,.0f} rooms of five", "cores", cores, one_cpu))
        found.append(Check("each of two servers with half of them", "cores", cores / 2, busier))
    one, pair = known.get(("W7", ONE_WORKER), {}), known.get(("W7", TWO_WORKERS), {})
    alone, worker_s, beside_s = (one.get(name) for name in ("runs_per_s", "worker_s_per_run", "beside_s_per_run"))
    together = pair.get("runs_per_s")
    if alone and worker_s and beside_s is not None and together:
        predicted = min(2 * alone, 2 / (worker_s + beside_s))  # two workers, or two cores that do all of it
        found.append(Check("two workers on two cores that carry everything else too", "runs/s", predicted, together))
    return found


# As Markdown


def plan(rows: Iterable[Row], profile: Profile | None = None, limits: Limits | None = None) -> str:
    rows, profile, limits = list(rows), profile or Profile(), limits or Limits()
    costs = costs_of(rows)
    if costs is None:
        return "Not yet measured: `make bench ARGS=--write` fills this in from W3, W7, W10 and growth.\n"
    parts = [_costs_table(costs), _check_table(checks(rows)), _needs_table(costs, profile)]
    ends = [f"| {what} | {editors:,} |" for what, editors in ends_at(costs, profile, limits)]
    parts.append("\n".join(["### What is full first", "", "| full | with editors |", "|---|--:|", *ends]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _costs_table(costs: Costs) -> str:
    lines = [
        ("a drag message in a room of five, server", f"{shown(costs.move_us)} µs"),
        ("the same, sent", f"{shown(costs.move_bytes)} bytes"),
        ("a stored operation, server", f"{shown(costs.operation_us)} µs"),
        ("a stored operation, PostgreSQL", f"{shown(costs.database_us)} µs"),
        ("a connection, server", f"{shown(costs.connection_kb)} kB"),
        ("a run of the built-in provider, worker", f"{shown(costs.run_worker_s)} s"),
    ]
    return "\n".join(["### Costs of one", "", "| | measured |", "|---|--:|", *(f"| {a} | {b} |" for a, b in lines)])


def _check_table(found: list[Check]) -> str:
    lines = [
        f"| {each.what} | {shown(each.predicted)} {each.unit} | {shown(each.measured)} {each.unit} "
        f"| {each.measured / each.predicted - 1:+.0%} |"
        for each in found
    ]
    if not lines:
        return ""
    head = ["### Prediction beside measurement", "", "| | predicted | measured | off by |", "|---|--:|--:|--:|"]
    return "\n".join([*head, *lines])


def _needs_table(costs: Costs, profile: Profile) -> str:
    columns = [needs(editors, costs, profile) for editors in EDITORS]
    head = "| | " + " | ".join(f"{column.editors:,} editors" for column in columns) + " |"
    lines = [head, "|---|" + "--:|" * len(columns)]
    for name in Needs.__struct_fields__[1:]:
        values = (shown(float(getattr(column, name))) for column in columns)
        lines.append(f"| {name.replace('_per_', '/').replace('_', ' ')} | " + " | ".join(values) + " |")
    return "### How many of what\n\n" + "\n".join(lines)

from __future__ import annotations

import msgspec
import pytest

from benchmarks.plan import Costs, Limits, Profile, checks, costs_of, ends_at, needs, plan
from benchmarks.results import Row

COSTS = Costs(move_us=20, move_bytes=300, operation_us=400, database_us=500, connection_kb=9, run_worker_s=0.09)
ROWS = [
    Row("W3", "easel", {"load": 500, "server_cpu": 1.0, "mb_per_s": 15.0}),
    Row("W3", "node ws", {"load": 300, "server_cpu": 0.5, "mb_per_s": 10.0}),
    Row("growth rooms", "easel", {"server_us": 400, "database_us": 500}, "100"),
    Row("growth connections", "easel", {"kb": 9.0}, "1000"),
    Row("W7", "easel", {"runs_per_s": 10.0, "worker_s_per_run": 0.09, "beside_s_per_run": 0.03}, "local provider"),
    Row("W7", "easel", {"runs_per_s": 15.0}, "local provider, two workers"),
    Row("W10", "easel", {"rooms": 250, "one_cpu": 0.55, "busier_of_two_cpu": 0.3}, "many rooms, each whole on one"),
]


def test_costs_are_read_from_what_easel_did() -> None:
    assert costs_of(ROWS) == COSTS


@pytest.mark.parametrize("missing", [0, 2, 3, 4])
def test_nothing_is_planned_from_half_of_the_measurements(missing: int) -> None:
    rows = ROWS[:missing] + ROWS[missing + 1 :]

    assert costs_of(rows) is None
    assert plan(rows).startswith("Not yet measured")


def test_a_hundred_thousand_editors() -> None:
    need = needs(100_000, COSTS, Profile(dragging=0.1, operations_per_s=0.2, runs_per_hour=6))

    # 200,000 moves/s of 20 µs and 20,000 operations/s of 400 µs are 12 cores, which may be 60 % busy.
    assert need.server_cores == 20
    assert need.commits_per_s == 20_000
    assert need.postgres_cores == pytest.approx(10 / 0.6)
    assert need.runs_per_s == pytest.approx(1000 / 6)
    assert need.worker_cores == 25
    assert need.redis_messages_per_s == pytest.approx(10_000 / 6)
    assert need.out_mb_per_s == pytest.approx(60)
    assert need.connections_gb == pytest.approx(0.9)


def test_rooms_on_several_servers_are_told_of_through_redis() -> None:
    spread = needs(1_000, COSTS, Profile(on_other_process=1.0, runs_per_hour=0))

    assert spread.redis_messages_per_s == pytest.approx(1_000 * (0.1 * 20 + 0.2))


def test_what_is_full_first_comes_first() -> None:
    ends = ends_at(COSTS, Profile(), Limits())

    assert [editors for _, editors in ends] == sorted(editors for _, editors in ends)
    assert dict(ends)["one PostgreSQL of 32 cores"] == pytest.approx(192_000)
    small = dict(ends_at(COSTS, Profile(), Limits(postgres_cores=8)))
    assert small["one PostgreSQL of 8 cores"] == pytest.approx(48_000)


def test_predictions_stand_beside_what_two_did() -> None:
    one, two, workers = checks(ROWS)

    assert [one.predicted, one.measured] == pytest.approx([0.5, 0.55])
    assert [two.predicted, two.measured] == pytest.approx([0.25, 0.3])
    assert [workers.predicted, workers.measured] == pytest.approx([2 / 0.12, 15.0])
    text = plan(ROWS)
    assert "| one server with 250 rooms of five | 0.5 cores | 0.55 cores | +10% |" in text
    assert "| server cores | 1 | 2 | 20 | 200 |" in text


def test_two_workers_do_no_more_than_twice_of_one() -> None:
    idle = msgspec.structs.replace(
        ROWS[4], figures={"runs_per_s": 3.0, "worker_s_per_run": 0.09, "beside_s_per_run": 0.03}
    )

    assert checks([*ROWS[:4], idle, *ROWS[5:]])[-1].predicted == 6.0

"""Which place those have that wait, and who is told of it."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from redis.asyncio import Redis

from canvas.relay.memory import MemoryRelay
from canvas.relay.port import RunsHint
from canvas.run_lane import RunLane
from canvas.store.postgres import Pool
from jobs.line import COUNTED, InLine, ordinal
from jobs.store.line import Line
from tests.jobs.store.test_claims import line_up
from tests.jobs.world import World

pytestmark = pytest.mark.anyio

AT_ONCE = 0.001
"""Any look is the only one of its millisecond."""


class Audience:
    """What a room in another process has heard."""

    def __init__(self, world: World) -> None:
        self.lane = RunLane()
        self.told: list[dict[str, Any]] = []
        self._world = world

    async def hear(self, limits: dict[str, int] | None = None) -> dict[str, Any]:
        """After one more look of a worker: the words of those whose place has changed."""
        before = len(self._world.hints)
        await self._world.redis.delete("easel:line:turn")
        await self._world.line.tell(limits or {}, AT_ONCE)
        runs = [run for hint in self._world.hints[before:] if isinstance(hint, RunsHint) for run in hint.runs]
        self.told = [run for run in runs if "status" not in run]
        for hint in self._world.hints:
            if isinstance(hint, RunsHint):
                self.lane.show(hint.runs)
        self._world.hints.clear()
        return {run["jobId"]: run["inLine"] and run["inLine"]["text"] for run in self.told}


async def places_of(world: World, limits: dict[str, int] | None = None) -> dict[str, InLine]:
    await world.redis.delete("easel:line:turn")
    await world.line.tell(limits or {}, AT_ONCE)
    rows = await world.database.fetch("SELECT id FROM runs WHERE status = 'pending'")
    return await world.line.places([row["id"] for row in rows])


@pytest.mark.parametrize("seed", range(6))
async def test_the_places_are_the_order_in_which_workers_take_them(world: World, seed: int) -> None:
    """JB46, JB26: whatever accounts, providers and runs under way there are"""
    chance = random.Random(seed)
    for account in "abcd":
        await line_up(world, account, 0)
        for provider in ("local", "openai"):
            await line_up(world, account + provider, chance.randrange(7), provider)
    await world.database.execute("UPDATE runs SET account_id = left(account_id, 1)")
    for _ in range(chance.randrange(6)):
        await world.claims.claim("w1", 15)
    limits = {"openai": chance.randrange(4, 9)}

    places = await places_of(world, limits)

    taken = []
    while (claim := await world.claims.claim("w1", 15, limits)) is not None:
        taken.append(claim.run.id)
    told = sorted(
        (found.place, run_id) for run_id, found in places.items() if found.place and " for " not in found.text
    )
    assert [run_id for _, run_id in told] == taken
    assert [place for place, _ in told] == list(range(1, len(taken) + 1))


async def test_who_waits_for_a_full_provider_stands_in_its_line_and_in_nobody_elses_way(world: World) -> None:
    """JB46"""
    await line_up(world, "a", 3, "openai")
    await line_up(world, "b", 2, "local")
    await world.claims.claim("w1", 15, {"local": 0})

    places = await places_of(world, {"openai": 1})

    assert {run_id: found.text for run_id, found in places.items()} == {
        "b1": "Next in line",
        "b2": "2nd in line",
        "a2": "Next in line for OpenAI",
        "a3": "2nd in line for OpenAI",
    }


async def test_places_move_as_others_begin_and_are_cancelled_and_only_those_are_told(world: World) -> None:
    """JB46: a second look at the same line tells nobody anything"""
    audience = Audience(world)
    await line_up(world, "ada", 4)
    assert await audience.hear() == {
        "ada1": "Next in line",
        "ada2": "2nd in line",
        "ada3": "3rd in line",
        "ada4": "4th in line",
    }
    assert await audience.hear() == {}

    await world.runs.cancel("ada3")
    assert await audience.hear() == {"ada3": None, "ada4": "3rd in line"}

    await world.claims.claim("w1", 15)
    assert await audience.hear() == {"ada1": None, "ada2": "Next in line", "ada4": "2nd in line"}


async def test_a_run_that_waits_for_its_time_has_no_place_and_one_whose_time_has_come_has(world: World) -> None:
    """JB46, JB28"""
    audience = Audience(world)
    first = await world.start()
    second = await world.start(node="n2")
    await audience.hear()
    claim = await world.claims.claim("w1", 15)
    assert claim is not None
    await world.claims.put_off(claim.run, 60, "Waiting for OpenAI, about 60 s", uses_attempt=False)

    assert await audience.hear() == {first.job_id: None, second.job_id: "Next in line"}
    waiting = next(run for run in audience.lane.live() if run["jobId"] == first.job_id)
    assert (waiting["status"], waiting["message"]) == ("pending", "Waiting for OpenAI, about 60 s")
    assert waiting.get("inLine") is None

    await world.let_wait_run_out()
    assert (await audience.hear())[first.job_id] in {"Next in line", "2nd in line"}


async def test_whoever_comes_later_sees_it_too(world: World) -> None:
    """JB46: in the run's record, in lists, and in what a room begins with"""
    await world.start()
    record = await world.start(node="n2")
    await places_of(world)

    second = InLine(2, "2nd in line")
    assert (await world.runs.get(record.job_id)).in_line == second
    assert {run.in_line for run in (await world.runs.list("ada")).items} == {InLine(1, "Next in line"), second}
    lane = RunLane()
    lane.show([frame.as_json() for frame in await world.runs.live("wf")])
    assert [run["inLine"]["place"] for run in lane.live()] == [1, 2]

    await world.claims.claim("w1", 15)
    await world.claims.claim("w1", 15)
    assert (await world.runs.get(record.job_id)).in_line is None


async def test_more_than_a_hundred_are_not_counted(world: World) -> None:
    """JB46"""
    await line_up(world, "a", COUNTED + 30)

    places = await places_of(world)

    assert places[f"a{COUNTED + 1}"] == InLine(COUNTED + 1, "101st in line")
    assert {places[f"a{number}"] for number in range(COUNTED + 2, COUNTED + 31)} == {
        InLine(None, "More than 100 ahead")
    }


async def test_several_workers_look_no_more_often_than_one(world: World) -> None:
    """JB46"""
    await line_up(world, "ada", 2)
    others = [Line(world.database, world.redis, MemoryRelay()) for _ in range(3)]

    assert [await line.tell({}, every_s=60) for line in (world.line, *others)] == [2, 0, 0, 0]


async def test_without_redis_nobody_has_a_place_and_nothing_else_suffers(world: World, database: Pool) -> None:
    """JB46, JB15"""
    await world.start()
    away = Line(database, Redis(port=1), world.relay)
    world.line = away
    runs = world.open_runs(world.bells, world.registry)

    assert await away.tell({}) == 0
    assert [run.in_line for run in (await runs.list("ada")).items] == [None]


async def test_a_look_at_ten_thousand_waiting_runs_is_cheap(world: World) -> None:
    """JB46"""
    for number in range(50):
        await line_up(world, f"account{number:02}", 200, ("local", "openai")[number % 2])
    await world.database.execute("ANALYZE runs")
    await places_of(world)

    started = time.perf_counter()
    for _ in range(5):
        assert await world.line._read({"openai": 40})
    each_ms = (time.perf_counter() - started) / 5 * 1000

    print(f"a look at 10 000: {each_ms:.1f} ms")
    assert each_ms < 400, "it has begun to grow with the line"


def test_ordinals() -> None:
    assert [ordinal(number) for number in (2, 3, 4, 11, 12, 13, 21, 22, 101, 111)] == (
        ["2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th"]
    )

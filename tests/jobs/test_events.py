from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec
import pytest

from canvas.errors import NotFound
from jobs.events import RunEvent
from jobs.providers.port import Progress
from jobs.run import Run
from jobs.store.events import retire_events
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


async def running(world: World, node: str = "n1") -> Run:
    await world.start(node=node)
    claim = await world.claims.claim("w1", 15)
    assert claim is not None
    return claim.run


async def step(world: World, run: Run, percent: int) -> None:
    await world.claims.keep_progress(run, Progress(percent, f"Step {percent}"))


async def test_numbers_are_gapless_in_the_run_and_in_the_workflow(world: World) -> None:
    """JB19"""
    first, second = await running(world), await running(world, "n2")

    await asyncio.gather(*(step(world, run, percent) for percent in range(10) for run in (first, second)))

    events = await world.events.list_workflow_events("wf")
    assert [event.workflow_seq for event in events] == list(range(1, 25))
    for run in (first, second):
        assert [event.seq for event in await world.events.list_events(run.id)] == list(range(1, 13))
    times = [event.body.timestamp for event in events]
    assert times == sorted(times)


async def test_the_wire_form_has_the_contracts_names(world: World) -> None:
    """JB19"""
    run = await running(world)
    await world.claims.note(run, "Hello")

    event = (await world.events.list_events(run.id))[-1]

    wire = msgspec.json.decode(msgspec.json.encode(event.body))
    assert wire.pop("timestamp").endswith("Z")
    assert wire == {"jobId": run.id, "kind": "log", "message": "Hello"}


async def test_following_replays_and_then_goes_on_without_gap_or_double(world: World) -> None:
    """JB20"""
    run = await running(world)
    seen: list[int] = []
    halfway = asyncio.Event()

    async def follow() -> None:
        async for event in world.events.follow(run.id, after=1):
            seen.append(event.seq)
            if len(seen) == 5:
                halfway.set()

    following = asyncio.create_task(follow())
    await asyncio.gather(*(step(world, run, percent) for percent in range(8)))
    await halfway.wait()
    await asyncio.gather(*(step(world, run, percent) for percent in range(8)))
    await world.claims.end_cancelled(run)
    await following

    assert seen == list(range(2, 20))


async def test_a_stream_ends_after_the_runs_last_event(world: World) -> None:
    """JB20"""
    record = await world.start()
    following = asyncio.create_task(collect(world, record.job_id))

    await world.runner().carry(record.job_id)

    events = await following
    assert events[-1].body.data is not None
    assert events[-1].body.data["status"] == "completed"
    assert await world.events.is_over(record.job_id, events[-1].seq)
    assert not await world.events.is_over(record.job_id, events[-1].seq - 1)
    assert [event async for event in world.events.follow(record.job_id, events[-1].seq)] == []


async def collect(world: World, run_id: str) -> list[RunEvent]:
    return [event async for event in world.events.follow(run_id)]


async def test_more_stored_events_than_a_page_are_all_replayed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """JB20"""
    monkeypatch.setattr("jobs.events.PAGE", 3)
    run = await running(world)
    for percent in range(7):
        await step(world, run, percent)
    await world.claims.end_cancelled(run)

    assert [event.seq for event in await collect(world, run.id)] == list(range(1, 11))


async def test_a_lost_hint_delays_and_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """JB20"""
    monkeypatch.setattr("jobs.events.LOOK_AGAIN_S", 0.01)
    run = await running(world)
    seen: list[int] = []
    reading = asyncio.Event()

    async def follow() -> None:
        async for event in world.events.follow(run.id):
            seen.append(event.seq)
            reading.set()

    following = asyncio.create_task(follow())
    await reading.wait()
    world.relay._listeners["wf"] = []
    await world.claims.end_cancelled(run)
    await following

    assert seen == [1, 2, 3]


async def test_a_workflows_stream_carries_all_its_runs_in_commit_order(world: World) -> None:
    """JB19, JB20"""
    first, second = await running(world), await running(world, "n2")
    await world.claims.end_cancelled(second)
    seen: list[RunEvent] = []

    async with aclosing(world.events.follow_workflow("wf", after=2)) as events:
        async for event in events:
            seen.append(event)
            if event.workflow_seq == 5:
                await world.claims.end_cancelled(first)
            if event.workflow_seq == 6:
                break

    assert [event.workflow_seq for event in seen] == [3, 4, 5, 6]
    assert [event.body.job_id for event in seen] == [second.id, second.id, second.id, first.id]


async def test_a_listener_that_leaves_holds_nothing(world: World) -> None:
    run = await running(world)
    before = len(world.relay._listeners["wf"])

    async with aclosing(world.events.follow(run.id)) as events:
        async for _ in events:
            break

    assert len(world.relay._listeners["wf"]) == before


async def test_an_unknown_run_has_no_stream(world: World) -> None:
    with pytest.raises(NotFound):
        await collect(world, "run_unknown")


async def test_events_of_runs_that_ended_long_ago_go_but_their_ends_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JB42, JB20: however many runs there are; a stream that is asked for then tells of the end and ends."""
    monkeypatch.setattr("jobs.store.events._AT_ONCE", 2)
    old = [await ended(world) for _ in range(5)]
    young = await ended(world)
    live = await world.start()
    before = await world.events.list_events(young)
    last = {job_id: (await world.events.list_events(job_id))[-1] for job_id in old}
    await world.database.execute("UPDATE runs SET finished_at = now() - interval '31 days' WHERE id = ANY($1)", old)

    assert await retire_events(world.database, 30) == 5

    assert {job_id: await world.events.list_events(job_id) for job_id in old} == {
        job_id: [event] for job_id, event in last.items()
    }
    assert [event async for event in world.events.follow(old[0])] == [last[old[0]]]
    assert await world.events.list_events(young) == before
    assert await world.events.list_events(live.job_id)
    assert await retire_events(world.database, 30) == 0


async def ended(world: World) -> str:
    run = await world.start()
    assert await world.runner().carry("test")
    return run.job_id

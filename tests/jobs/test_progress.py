from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from jobs.progress import Pace
from jobs.providers.port import Progress
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


async def test_the_newest_value_wins_and_the_last_is_never_dropped() -> None:
    """JB18"""
    delivered: list[int] = []
    last = asyncio.Event()

    async def deliver(value: int) -> None:
        delivered.append(value)
        if value == 99:
            last.set()

    pace = Pace(0.01, deliver)
    running = asyncio.create_task(pace.run())
    for value in range(100):
        pace.offer(value)
    await last.wait()
    running.cancel()

    assert delivered == [99]


async def test_values_go_out_at_the_given_pace() -> None:
    """JB18"""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    enough = asyncio.Event()

    async def deliver(value: int) -> None:
        times.append(loop.time())
        pace.offer(value + 1)  # there is always something newer
        if len(times) == 4:
            enough.set()

    pace = Pace(0.02, deliver)
    running = asyncio.create_task(pace.run())
    pace.offer(0)
    await enough.wait()
    running.cancel()

    assert all(later - earlier >= 0.019 for earlier, later in pairwise(times))


async def test_stored_progress_is_an_event_and_the_runs_own(world: World) -> None:
    """JB18"""
    record = await world.start()
    claim = await world.claims.claim("w1", 15)
    assert claim is not None

    await world.claims.keep_progress(claim.run, Progress(140, "Ridges", 7, 9))

    assert (await world.runs.get(record.job_id)).progress == 100
    event = (await world.events.list_events(record.job_id))[-1].body
    assert (event.kind, event.message, event.progress, event.data) == (
        "progress",
        "Ridges",
        100,
        {"step": 7, "steps": 9},
    )

"""A worker that is told to stop while an order is under way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jobs.drain import Drain
from jobs.errors import ProviderRefused
from jobs.providers.port import Picture, PromptSpec, Report
from tests.jobs.world import World, draw

pytestmark = pytest.mark.anyio


class WatchedDrain(Drain):
    """Says when it has begun to wait: a second cancellation before that would be one with the first."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.waits = asyncio.Event()

    async def _wait_for(self, task: asyncio.Future[Any]) -> None:
        self.waits.set()
        await super()._wait_for(task)


async def stopped_in_the_middle(world: World, drain: Drain) -> tuple[str, asyncio.Task[bool]]:
    """A run whose only order has left, and its worker, which has been told to stop."""
    world.provider.is_paid, world.provider.price_usd = True, 0.04
    if world.provider.script is draw:
        world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    carrying = asyncio.create_task(world.runner("w1", drain=drain).carry(record.job_id))
    await world.provider.started.wait()
    drain.begin()
    carrying.cancel()
    return record.job_id, carrying


async def gone(carrying: asyncio.Task[bool]) -> None:
    with pytest.raises(asyncio.CancelledError):
        await carrying


async def test_order_that_was_being_sent_comes_to_its_end_and_another_worker_finishes(world: World) -> None:
    """JB15"""
    run_id, carrying = await stopped_in_the_middle(world, Drain(60))

    world.provider.go_on.set()
    await gone(carrying)
    assert await world.call_states() == ["kept"]
    assert await world.bells.ring() == 1
    await world.runner("w2").carry(run_id)

    assert (await world.runs.get(run_id)).status == "completed"
    assert len(world.provider.orders) == 1
    assert not world.provider.was_cancelled


async def test_refusal_that_comes_meanwhile_is_what_the_run_says(world: World) -> None:
    """JB15"""

    async def refuse(prompt: PromptSpec, report: Report) -> list[Picture]:
        await world.provider.wait_and_draw(prompt, report)
        raise ProviderRefused("The prompt is too long.")

    world.provider.script = refuse
    run_id, carrying = await stopped_in_the_middle(world, Drain(60))

    world.provider.go_on.set()
    await gone(carrying)
    await world.bells.ring()
    await world.runner("w2").carry(run_id)

    done = await world.runs.get(run_id)
    assert done.error is not None
    assert (done.error.code, len(world.provider.orders)) == ("PROVIDER_INVALID_REQUEST", 1)


@pytest.mark.parametrize("seconds", [0.0, 60.0], ids=["its time is over", "told a second time"])
async def test_patience_has_an_end(world: World, seconds: float) -> None:
    """JB15, JB25"""
    drain = Drain(seconds)
    run_id, carrying = await stopped_in_the_middle(world, drain)

    drain.hurry()
    await gone(carrying)
    assert world.provider.was_cancelled
    await world.bells.ring()
    await world.runner("w2").carry(run_id)

    done = await world.runs.get(run_id)
    assert done.error is not None
    assert (done.error.code, len(world.provider.orders)) == ("OUTCOME_UNKNOWN", 1)


async def test_a_ticket_is_handed_on_at_once(world: World) -> None:
    """JB15: it can be asked about by whoever goes on"""
    world.provider.has_tickets = True
    run_id, carrying = await stopped_in_the_middle(world, Drain(60))

    await gone(carrying)
    assert await world.call_states() == ["accepted"]
    await world.bells.ring()
    world.provider.go_on.set()
    await world.runner("w2").carry(run_id)

    assert (await world.runs.get(run_id)).status == "completed"
    assert len(world.provider.orders) == 1


async def test_what_costs_nothing_is_not_waited_for(world: World) -> None:
    """JB15"""
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    drain = Drain(60)
    carrying = asyncio.create_task(world.runner("w1", drain=drain).carry(record.job_id))
    await world.provider.started.wait()
    drain.begin()
    carrying.cancel()

    await gone(carrying)

    assert world.provider.was_cancelled


async def test_cancel_of_its_person_does_not_wait(world: World) -> None:
    """JB9: only a stopping worker lets an order end"""
    world.provider.is_paid, world.provider.price_usd = True, 0.04
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    carrying = asyncio.create_task(world.runner("w1", drain=Drain(60)).carry(record.job_id))
    await world.provider.started.wait()

    await world.runs.cancel(record.job_id)
    await carrying

    assert world.provider.was_cancelled
    assert (await world.runs.get(record.job_id)).status == "cancelled"


async def test_cancel_reaches_an_order_that_a_stopping_worker_waits_for(world: World) -> None:
    """JB9, JB15"""
    drain = WatchedDrain(60)
    _, carrying = await stopped_in_the_middle(world, drain)
    await drain.waits.wait()

    carrying.cancel()
    async with asyncio.timeout(10):  # and not the minute that it would wait for the order
        await gone(carrying)

    assert world.provider.was_cancelled

"""Orders that nobody waits for any more."""

from __future__ import annotations

import asyncio

import pytest

from jobs.errors import OutcomeUnknown
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


async def under_way(world: World) -> tuple[str, asyncio.Task[bool]]:
    """A paid order that its provider has accepted and works on."""
    world.provider.has_tickets = world.provider.is_paid = True
    world.provider.price_usd = None
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    carried = asyncio.create_task(world.runner().carry(record.job_id))
    await world.provider.started.wait()
    return record.job_id, carried


async def test_a_cancel_is_told_to_the_provider_until_it_has_heard(world: World) -> None:
    """JB9, JB30"""
    job_id, carried = await under_way(world)
    await world.runs.cancel(job_id)
    await carried
    assert (await world.runs.get(job_id)).status == "cancelled"
    world.provider.deaf_to_cancels = 2

    assert [await world.cancels().tell() for _ in range(4)] == [0, 0, 1, 0]

    assert world.provider.told == [f"job-{world.provider.orders[0].id}"]
    assert await world.call_states() == ["cancelled"]
    cost = (await world.runs.get(job_id)).cost
    assert cost is not None
    assert cost.is_unknown


async def test_an_order_that_nobody_can_call_off_stops_no_loop_and_is_let_go_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JB30"""
    job_id, carried = await under_way(world)
    await world.runs.cancel(job_id)
    await carried

    async def crash(ticket: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(world.provider, "cancel", crash)

    assert await world.cancels().tell() == 0
    await world.database.execute("UPDATE provider_calls SET sent_at = now() - interval '61 s'")
    assert await world.cancels().tell() == 1
    assert await world.call_states() == ["unknown"]


async def test_a_replaced_run_is_told_to_the_provider_too(world: World) -> None:
    """JB30, JB3"""
    _, carried = await under_way(world)
    await world.start(replace=True)
    await carried

    assert await world.cancels().tell() == 1

    assert len(world.provider.told) == 1


async def test_an_order_that_is_not_done_in_time_is_called_off(world: World) -> None:
    """JB24, JB30"""
    world.provider.has_tickets = world.provider.is_paid = True
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()

    await world.runner(deadline_s=0.3).carry(record.job_id)

    error = (await world.runs.get(record.job_id)).error
    assert error is not None
    assert (error.code, error.charged) == ("POLL_TIMEOUT", "unknown")
    assert await world.cancels().tell() == 1
    assert len(world.provider.told) == 1


async def test_the_deadline_counts_from_the_order_and_not_from_the_worker(world: World) -> None:
    """JB24"""
    job_id, carried = await under_way(world)
    await world.database.execute(
        "UPDATE runs SET fence = fence + 1; UPDATE provider_calls SET sent_at = now() - interval '61 s'"
    )
    carried.cancel()
    with pytest.raises(asyncio.CancelledError):
        await carried
    await world.let_lease_run_out(job_id)

    await world.runner("w2").carry(job_id)

    error = (await world.runs.get(job_id)).error
    assert error is not None
    assert error.code == "POLL_TIMEOUT"


@pytest.mark.parametrize(("is_unsure", "state", "is_unknown"), [(True, "unknown", True), (False, "cancelled", False)])
async def test_what_was_being_sent_when_its_run_ended_is_looked_for(
    world: World, is_unsure: bool, state: str, is_unknown: bool
) -> None:
    """JB30, JB32"""
    world.provider.is_paid = True
    record = await world.start()
    world.provider.script = world.provider.wait_and_draw
    carried = asyncio.create_task(world.runner().carry(record.job_id))
    await world.provider.started.wait()
    await world.runs.cancel(record.job_id)
    await carried
    assert await world.cancels().tell() == 0  # somebody might be sending it just now
    await world.database.execute("UPDATE provider_calls SET sent_at = now() - interval '31 s'")
    if is_unsure:
        world.provider.unsure = OutcomeUnknown("Nobody knows.")
    else:
        world.provider.orders.clear()

    assert await world.cancels().tell() == 1

    assert await world.call_states() == [state]
    cost = (await world.runs.get(record.job_id)).cost
    assert cost is not None
    assert cost.is_unknown is is_unknown


async def test_a_run_that_was_cancelled_while_it_waits_ends_at_once(world: World) -> None:
    """JB9"""
    from jobs.errors import RateLimited

    async def limited(prompt: object, report: object) -> list[object]:
        raise RateLimited("Slow down.", retry_after_s=30)

    world.provider.script = limited  # type: ignore[assignment]
    record = await world.start()
    await world.runner().carry(record.job_id)

    assert (await world.runs.cancel(record.job_id)).status == "cancelled"


async def test_a_cancel_that_comes_as_the_run_is_put_off_ends_it(world: World) -> None:
    """JB9: it would otherwise wait with its wish until its time has come"""
    from jobs.errors import Cancelled

    record = await world.start()
    claim = await world.claims.claim("w1", 15)
    assert claim is not None
    await world.runs.cancel(record.job_id)

    with pytest.raises(Cancelled):
        await world.claims.put_off(claim.run, 30, "Waiting", uses_attempt=False)

    assert (await world.runs.get(record.job_id)).status == "running"

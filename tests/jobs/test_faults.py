"""A worker is stopped dead at each point where that leaves something different behind; another goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobs.errors import OutcomeUnknown
from jobs.providers.port import Picture, PromptSpec, Report
from tests.jobs.world import Killed, ScriptedProvider, World

pytestmark = pytest.mark.anyio

POINTS = ("claimed", "intended", "sent", "accepted", "answered", "kept", "stored", "completed")


async def by_address(prompt: PromptSpec, report: Report) -> list[Picture]:
    return [Picture(url="https://cdn.example/fox.png", seed=7)]


def paid_at_once(provider: ScriptedProvider) -> None:
    provider.is_paid, provider.price_usd = True, 0.04


def paid_at_once_by_address(provider: ScriptedProvider) -> None:
    provider.is_paid, provider.price_usd, provider.script = True, 0.04, by_address


def paid_job(provider: ScriptedProvider) -> None:
    paid_at_once_by_address(provider)
    provider.has_tickets = True


def paid_job_that_cannot_be_found(provider: ScriptedProvider) -> None:
    paid_job(provider)
    provider.unsure = OutcomeUnknown("Nobody knows what became of it.")


def free_at_once(provider: ScriptedProvider) -> None:
    """As it comes."""


def free_job(provider: ScriptedProvider) -> None:
    provider.has_tickets = True


KINDS = (paid_at_once, paid_at_once_by_address, paid_job, paid_job_that_cannot_be_found, free_at_once, free_job)
UNKNOWN = {
    (paid_at_once, "sent"),
    (paid_at_once_by_address, "sent"),
    (paid_job_that_cannot_be_found, "sent"),
    (paid_job_that_cannot_be_found, "intended"),
}
"""Where nobody can tell what became of the order. Nowhere else may a run say so."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_killed_anywhere_costs_no_picture_and_no_second_order(
    world: World, kind: Callable[[ScriptedProvider], None], point: str
) -> None:
    """JB25, JB7, JB8"""
    kind(world.provider)
    record = await world.start()
    was_killed = False
    try:
        await world.runner("w1", killed_at=point).carry(record.job_id)
    except Killed:
        was_killed = True
    await world.let_lease_run_out(record.job_id)

    await world.runner("w2").carry(record.job_id)

    done = await world.runs.get(record.job_id)
    assert was_killed or point in {"accepted", "answered"}, "this kind has no such point, or nobody was stopped there"
    if world.provider.is_paid:
        assert len(world.provider.orders) <= 1
    if (kind, point) in UNKNOWN:
        assert done.error is not None
        assert (done.error.code, done.error.charged) == ("OUTCOME_UNKNOWN", "unknown")
        assert (world.files(), await world.call_states()) == ([], ["unknown"])
        return
    assert done.status == "completed"
    assert await world.call_states() == ["kept"]
    assert [await world.count(table) for table in ("renders", "objects", "provider_calls")] == [1, 4, 1]
    assert len(world.files()) == 4


async def test_pictures_that_were_kept_survive_the_other_orders_of_their_run(world: World) -> None:
    """JB25: one of two orders is done when the worker dies; it is not asked for, nor paid, again"""
    world.sell_one_at_a_time()
    paid_at_once(world.provider)
    record = await world.start(n=2)
    with pytest.raises(Killed):
        await world.runner("w1", killed_at="stored").carry(record.job_id)
    await world.database.execute("DELETE FROM provider_calls WHERE number = 1")
    await world.let_lease_run_out(record.job_id)

    await world.runner("w2").carry(record.job_id)

    assert [order.prompt.seed for order in world.provider.orders] == [7, 8, 8]
    assert (await world.runs.get(record.job_id)).status == "completed"
    assert await world.count("renders") == 2

"""A worker is stopped dead at each point where that leaves something different behind; another goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from canvas.errors import Unavailable
from jobs.errors import ContentPolicy, JobError, OutcomeUnknown, RateLimited
from jobs.providers.port import Limits, Picture, PromptSpec, Report
from tests.jobs.world import Killed, Script, ScriptedProvider, World

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


@pytest.mark.parametrize("step", ["accepted", "answered", "kept", "failed", "withdraw"])
async def test_what_a_provider_has_said_is_stored_when_the_database_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """JB17, JB25: it is in the worker's memory alone, and many providers could not be asked for it again"""
    paid_job(world.provider)
    refusal = {"failed": ContentPolicy("Not this."), "withdraw": RateLimited("Slow down.", retry_after_s=0.1)}.get(step)
    if refusal is not None:
        world.provider.has_tickets = False
        world.provider.script = refusing(refusal)
    write, left = getattr(world.call_store, step), [Unavailable("It restarts.")] * 3

    async def away(*values: Any, **more: Any) -> Any:
        if left:
            raise left.pop()
        return await write(*values, **more)

    monkeypatch.setattr(world.call_store, step, away)
    record = await world.start()

    await world.runner().carry(record.job_id)

    done = await world.runs.get(record.job_id)
    expected = {"failed": ("failed", ["failed"]), "withdraw": ("pending", [])}.get(step, ("completed", ["kept"]))
    assert (done.status, await world.call_states()) == expected
    assert (left, len(world.slept) >= 3) == ([], True)


def refusing(error: JobError) -> Script:
    async def refuse(prompt: PromptSpec, report: Report) -> list[Picture]:
        raise error

    return refuse


@pytest.mark.parametrize("point", ["intended", "answered", "kept"])
async def test_who_carries_a_run_on_gives_back_the_place_of_the_dead(world: World, point: str) -> None:
    """JB28: else a provider with one place would do nothing for a minute"""
    paid_job(world.provider)
    record = await world.start()
    with pytest.raises(Killed):
        await world.runner("w1", killed_at=point).carry(record.job_id)
    [order_id] = [row["id"] for row in await world.database.fetch("SELECT id FROM provider_calls")]
    await world.gate.hold("key", order_id)  # as kill -9 leaves it
    await world.let_lease_run_out(record.job_id)

    await world.runner("w2").carry(record.job_id)

    assert await world.gate.enter("key", Limits(concurrency=1), "another") == 0


async def test_a_worker_whose_run_has_gone_on_elsewhere_stores_no_picture(world: World) -> None:
    """JB5, JB16: nobody would name it"""
    paid_at_once(world.provider)
    record = await world.start()

    async def lose(prompt: PromptSpec, report: Report) -> list[Picture]:
        await world.database.execute("UPDATE runs SET fence = fence + 1 WHERE id = $1", record.job_id)
        return [Picture(b"a picture")]

    world.provider.script = lose

    await world.runner().carry(record.job_id)

    assert world.files() == []

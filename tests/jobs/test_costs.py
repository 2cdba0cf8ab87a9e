"""Money: reserved before, counted after, and never taken for nothing when nobody knows."""

from __future__ import annotations

import pytest

from jobs.errors import BudgetExceeded, OutcomeUnknown
from jobs.providers.port import Picture, PromptSpec, Report
from jobs.run import Cost
from jobs.store.calls import CallStore
from jobs.store.costs import CostStore
from jobs.store.quotas import Limits
from jobs.store.runs import RunStore
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def shop(world: World) -> World:
    """Sells pictures for 4 cents to people who may spend 10 a day."""
    world.provider.is_paid, world.provider.price_usd = True, 0.04
    world.store = RunStore(world.database, world.relay, Limits(budget_usd=0.10))
    world.call_store = CallStore(world.database, world.relay, Limits(budget_usd=0.10))
    world.runs = world.open_runs(world.bells, world.registry)
    return world


async def test_what_runs_will_cost_is_reserved_before_they_start(shop: World) -> None:
    """JB32"""
    await shop.start(n=2)

    with pytest.raises(BudgetExceeded) as refusal:
        await shop.start(node="n2")

    assert (refusal.value.code, refusal.value.facts) == ("BUDGET_EXCEEDED", {"budgetUsd": 0.10, "spentUsd": 0.08})
    assert await shop.count("runs") == 1


async def test_a_run_that_was_cancelled_before_it_was_sent_gives_its_money_back(shop: World) -> None:
    """JB32"""
    first = await shop.start(n=2)
    await shop.runs.cancel(first.job_id)

    assert (await shop.start(n=2)).status == "pending"


async def test_the_budget_is_asked_again_before_each_order(shop: World) -> None:
    """JB32"""
    record = await shop.start(n=2)
    await shop.database.execute(_SPENT_MEANWHILE, record.job_id)

    await shop.runner().carry(record.job_id)

    error = (await shop.runs.get(record.job_id)).error
    assert error is not None
    assert (error.code, error.charged, shop.provider.orders) == ("BUDGET_EXCEEDED", "no", [])


_SPENT_MEANWHILE = """
    INSERT INTO provider_calls (id, run_id, number, attempt, provider, model, credential, request_hash, state, cost_usd)
    VALUES ('other', $1, 9, 9, 'local', 'studio-1', 'key', '', 'kept', 0.2)"""


async def test_a_run_may_spend_the_last_cent_that_it_has_reserved(shop: World) -> None:
    """JB32"""
    shop.sell_one_at_a_time()
    shop.provider.price_usd = 0.05
    record = await shop.start(n=2)

    await shop.runner().carry(record.job_id)

    assert (await shop.runs.get(record.job_id)).status == "completed"
    with pytest.raises(BudgetExceeded):
        await shop.start()
    shop.provider.price_usd = 0.0
    assert (await shop.start()).status == "pending"  # what is free is never refused


async def test_estimate_and_cost_are_told_with_the_run(shop: World) -> None:
    """JB32"""
    record = await shop.start(n=2)
    assert record.cost == Cost(is_unknown=False, estimated_usd=0.08)

    await shop.runner().carry(record.job_id)

    assert (await shop.runs.get(record.job_id)).cost == Cost(is_unknown=False, estimated_usd=0.08, actual_usd=0.08)


async def test_a_cost_that_nobody_knows_is_not_nothing(shop: World) -> None:
    """JB32"""
    record = await shop.start(n=2)
    shop.provider.price_usd = None

    await shop.runner().carry(record.job_id)

    assert (await shop.runs.get(record.job_id)).cost == Cost(is_unknown=True, estimated_usd=0.08, actual_usd=0.0)


async def test_usage_is_told_by_provider_model_and_day(shop: World) -> None:
    """JB32"""

    async def vanish(prompt: PromptSpec, report: Report) -> list[Picture]:
        raise OutcomeUnknown("The connection broke.")

    good, lost = await shop.start(), await shop.start(node="n2")
    await shop.runner().carry(good.job_id)
    shop.provider.script = vanish
    await shop.runner().carry(lost.job_id)
    costs = CostStore(shop.database)

    (row,) = await costs.usage("ada", ("provider", "model", "day"))

    assert (row.provider, row.model, row.runs, row.images, row.unknown_runs) == ("local", "studio-1", 2, 1, 1)
    assert row.day is not None
    assert row.cost == Cost(is_unknown=True, estimated_usd=0.08, actual_usd=0.04)
    (whole,) = await costs.usage("ada", ())
    assert (whole.provider, whole.runs) == (None, 2)
    assert [one.runs for one in await costs.usage("bob", ("provider",))] == []

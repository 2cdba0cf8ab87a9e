"""How much an account may start and spend, and whose money a guest's run is."""

from __future__ import annotations

import asyncio

import pytest

from jobs.batch import StartBatch
from jobs.errors import BudgetExceeded, PriceUnknown, QuotaExceeded
from jobs.run import Cost, ImageJobRecord
from jobs.store.calls import CallStore
from jobs.store.costs import CostStore
from jobs.store.quotas import Limits
from jobs.store.runs import RunStore
from tests.jobs.test_batches import anything, batches_of, request
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


def limit(world: World, limits: Limits) -> None:
    world.store = RunStore(world.database, world.relay, limits)
    world.call_store = CallStore(world.database, world.relay, limits)
    world.runs = world.open_runs(world.bells, world.registry)


async def start(world: World, account_id: str, node: str = "n1", workflow_id: str = "wf") -> ImageJobRecord:
    return await world.runs.start(request(node, workflow_id=workflow_id), account_id)


async def test_so_many_runs_start_in_a_day(world: World) -> None:
    """JB40"""
    limit(world, Limits(runs_per_day=2))
    first = await start(world, "ada")
    await world.runs.cancel(first.job_id)
    await start(world, "ada")

    with pytest.raises(QuotaExceeded) as refusal:
        await start(world, "ada", "n2")

    facts = refusal.value.facts
    assert (refusal.value.code, facts["limit"], facts["used"]) == ("QUOTA_EXCEEDED", 2, 2)
    assert 0 < facts["retryAfter"] <= 86_400
    assert await world.count("runs") == 2
    await start(world, "bob", workflow_id="other")
    await world.database.execute("UPDATE runs SET started_at = started_at - interval '1 day'")
    await start(world, "ada", "n2")


async def test_so_many_runs_wait_or_go_on_at_a_time(world: World) -> None:
    """JB40: starts at once, too, and one that replaces another is none more"""
    limit(world, Limits(live_runs=1))
    found = await asyncio.gather(start(world, "ada", "n1"), start(world, "ada", "n2"), return_exceptions=True)
    (record,) = [one for one in found if isinstance(one, ImageJobRecord)]
    assert sum(isinstance(one, QuotaExceeded) for one in found) == 1

    again = await world.runs.start(request(record.node_id, replace=True), "ada")
    assert again.status == "pending"
    await world.runner().carry("bell")
    await start(world, "ada")


async def test_a_batch_counts_as_all_of_its_runs(world: World) -> None:
    """JB40, BA1"""
    limit(world, Limits(runs_per_day=1))

    with pytest.raises(QuotaExceeded):
        await batches_of(world).start(StartBatch([request("n1"), request("n2")]), "ada", anything)

    assert (await world.count("runs"), await world.count("batches")) == (0, 0)


async def test_an_accounts_own_limits_go_before_the_settings(world: World) -> None:
    """JB40"""
    limit(world, Limits(runs_per_day=0, live_runs=0, budget_usd=0.0))
    world.provider.is_paid, world.provider.price_usd = True, 0.04
    with pytest.raises(QuotaExceeded):
        await start(world, "ada")
    await world.database.execute("UPDATE accounts SET runs_per_day = 9, live_runs = 9 WHERE id = 'ada'")
    with pytest.raises(BudgetExceeded):
        await start(world, "ada")

    await world.database.execute("UPDATE accounts SET budget_usd_per_day = 0.05 WHERE id = 'ada'")
    record = await start(world, "ada")
    await world.runner().carry("bell")

    assert (await world.runs.get(record.job_id)).status == "completed"
    with pytest.raises(BudgetExceeded):
        await start(world, "ada")


async def test_guests_spend_the_owners_money(world: World) -> None:
    """JB40: budget, quotas and usage"""
    limit(world, Limits(runs_per_day=2, budget_usd=0.10))
    world.provider.is_paid, world.provider.price_usd = True, 0.04
    await world.database.execute("INSERT INTO accounts (id, name, color, role) VALUES ('guest', 'G', '#fff', 'guest')")
    await start(world, "guest")
    await world.runner().carry("bell")
    (used,) = await CostStore(world.database).usage("ada", ())
    assert (used.runs, used.cost.actual_usd) == (1, 0.04)

    await start(world, "guest", "n2")
    with pytest.raises(QuotaExceeded):
        await start(world, "ada")
    await world.database.execute("UPDATE accounts SET runs_per_day = 9 WHERE id = 'ada'")
    with pytest.raises(BudgetExceeded):
        await start(world, "ada")

    assert (await start(world, "guest", workflow_id="other")).status == "pending"  # another owner's
    assert await world.database.fetchval("SELECT count(*) FROM renders WHERE account_id = 'guest'") == 1


async def test_with_a_budget_a_price_that_nobody_knows_is_refused_or_assumed(world: World) -> None:
    """JB32"""
    world.provider.is_paid, world.provider.price_usd = True, None
    limit(world, Limits(budget_usd=0.10))
    with pytest.raises(PriceUnknown) as refusal:
        await start(world, "ada")
    assert (refusal.value.status, refusal.value.code) == (402, "PRICE_UNKNOWN")
    assert "EASEL_ASSUMED_PRICE_USD" in refusal.value.detail

    limit(world, Limits(budget_usd=0.10, assumed_price_usd=0.06))
    record = await start(world, "ada")
    await world.runner().carry("bell")

    cost = (await world.runs.get(record.job_id)).cost
    assert cost == Cost(is_unknown=True, estimated_usd=0.06, actual_usd=0.0)
    with pytest.raises(BudgetExceeded) as over:
        await start(world, "ada")
    assert over.value.facts["spentUsd"] == 0.06
    limit(world, Limits())
    assert (await start(world, "ada")).status == "pending"

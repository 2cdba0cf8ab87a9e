"""Many runs asked for at once: all or none, so many at a time, whoever dies on the way."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from canvas.errors import Conflict, Forbidden, Invalid, NotFound
from jobs.batch import Batch, BatchItem, StartBatch, StartedBatch
from jobs.batches import Batches
from jobs.errors import BudgetExceeded, ProviderUnavailable
from jobs.providers.port import Picture, PromptSpec, Report
from jobs.run import PictureUrl, StartImageJobRequest
from jobs.store.batches import BatchStore
from jobs.store.imports import ImportStore
from jobs.store.quotas import Limits
from jobs.store.runs import RunStore
from tests.jobs.world import Killed, World, draw

pytestmark = pytest.mark.anyio

SEED = 20261126


async def anything(_: str) -> None:
    """May run everywhere."""


@pytest.fixture
async def crowd(world: World) -> World:
    """A workflow of forty nodes more."""
    await world.database.execute("""
        INSERT INTO workflow_nodes (workflow_id, id, ord, node_type, node_data, position, fields)
        SELECT 'wf', 'b' || g, 10 + g, 'image_generation', '{}', '{"x":0,"y":0}', '{}' FROM generate_series(0, 39) g""")
    return world


def batches_of(world: World) -> Batches:
    imports = ImportStore(world.database, world.relay, PictureUrl())
    return Batches(BatchStore(world.database), world.store, imports, world.runs, PictureUrl())


def request(node: str, prompt: str = "a fox", **more: Any) -> StartImageJobRequest:
    workflow_id = more.pop("workflow_id", "wf")
    return StartImageJobRequest(node, workflow_id, PromptSpec(base_prompt=prompt, seed=7), "local", **more)


async def start(world: World, count: int, concurrency: int | None = None) -> StartedBatch:
    wanted = StartBatch([request(f"b{number}") for number in range(count)], concurrency)
    return await batches_of(world).start(wanted, "ada", anything)


async def seen(world: World, batch_id: str) -> Batch:
    return await batches_of(world).get(batch_id, "ada")


async def test_a_batch_is_stored_as_runs_of_which_so_many_have_a_place(crowd: World) -> None:
    """BA1, BA2"""
    started = await start(crowd, 5, concurrency=2)

    assert [run.node_id for run in started.runs] == [f"b{number}" for number in range(5)]
    assert [run.waits_for for run in started.runs] == [None, None, *["In line in its batch"] * 3]
    assert {run.batch_id for run in started.runs} == {started.batch_id}
    assert await crowd.store.live("wf") == [await crowd.store.get(run.job_id) for run in started.runs]
    assert (await crowd.node("b4"))["status"] == "pending"
    batch = await seen(crowd, started.batch_id)
    assert (batch.status, batch.concurrency, batch.counts["pending"]) == ("running", 2, 5)
    assert [item.index for item in batch.live] == [0, 1, 2, 3, 4]


async def test_of_a_batch_that_cannot_be_started_whole_nothing_is(crowd: World) -> None:
    """BA1: each reason is named, those that only the workflow's lock tells as well"""
    live = await crowd.start()
    bad = [request("b0"), request("b1", " "), request("b2", model="gone"), request("b0"), request("b3")]

    with pytest.raises(Invalid) as refusal:
        await batches_of(crowd).start(StartBatch(bad), "ada", anything)

    items = refusal.value.facts["items"]
    assert [(item["index"], item["code"]) for item in items] == [
        (1, "VALIDATION_FAILED"),
        (2, "MODEL_UNKNOWN"),
        (3, "VALIDATION_FAILED"),
    ]
    assert "runs[1]: The prompt is empty" in refusal.value.detail
    with pytest.raises(Invalid) as refusal:
        await batches_of(crowd).start(StartBatch([request("b0"), request("n1"), request("nowhere")]), "ada", anything)
    assert [(item["index"], item["code"]) for item in refusal.value.facts["items"]] == [
        (1, "RUN_LIVE"),
        (2, "NOT_FOUND"),
    ]
    assert refusal.value.facts["items"][0]["jobId"] == live.job_id
    assert (await crowd.count("runs"), await crowd.count("batches")) == (1, 0)
    for runs, concurrency in (([], None), ([request("b0")] * 101, None), ([request("b0")], 0)):
        with pytest.raises(Invalid):
            await batches_of(crowd).start(StartBatch(runs, concurrency), "ada", anything)


async def test_who_may_start_none_of_a_batch_is_answered_as_for_one_run(crowd: World) -> None:
    """BA1"""

    async def mine_alone(workflow_id: str) -> None:
        if workflow_id != "wf":
            raise NotFound("There is no such workflow, or you have not been invited to it.")

    async def nothing(_: str) -> None:
        raise Forbidden("Your role on this workflow may not start runs. Ask its owner.")

    others = request("n1", workflow_id="other")
    with pytest.raises(NotFound):
        await batches_of(crowd).start(StartBatch([others]), "ada", mine_alone)
    with pytest.raises(Forbidden):
        await batches_of(crowd).start(StartBatch([request("b0"), request("b1")]), "ada", nothing)
    with pytest.raises(Invalid) as refusal:
        await batches_of(crowd).start(StartBatch([request("b0"), others]), "ada", mine_alone)
    assert [(item["index"], item["code"]) for item in refusal.value.facts["items"]] == [(1, "NOT_FOUND")]
    assert await crowd.count("runs") == 0


async def test_a_batch_replaces_what_is_in_its_way_and_reserves_for_all_of_it(crowd: World) -> None:
    """BA1"""
    crowd.provider.price_usd = 0.04
    crowd.store = RunStore(crowd.database, crowd.relay, Limits(budget_usd=0.10))
    crowd.runs = crowd.open_runs(crowd.bells, crowd.registry)
    live = await crowd.start()
    await crowd.runs.cancel(live.job_id)

    with pytest.raises(BudgetExceeded):
        await start(crowd, 3)
    assert await crowd.count("batches") == 0
    await start(crowd, 2)

    crowd.provider.price_usd = 0.0
    wanted = StartBatch([request("b0", replace=True), request("b5")])
    again = await batches_of(crowd).start(wanted, "ada", anything)
    assert [run.status for run in again.runs] == ["pending", "pending"]
    assert await crowd.database.fetchval("SELECT count(*) FROM runs WHERE status = 'cancelled'") == 2


class FullHouse:
    """A provider's script that goes on only when all places are taken that may be: a batch with an empty one hangs."""

    def __init__(self, total: int, places: int) -> None:
        self._total, self._places = total, places
        self._begun = self._ended = 0
        self._moved = asyncio.Condition()
        self.peak = 0

    async def __call__(self, prompt: PromptSpec, report: Report) -> list[Picture]:
        async with self._moved:
            self._begun += 1
            self.peak = max(self.peak, self._begun - self._ended)
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self._begun >= min(self._total, self._ended + self._places))
            self._ended += 1
        return await draw(prompt, report)


class Counting:
    """A provider's script that knows how many it is at, at once."""

    def __init__(self) -> None:
        self.now = self.peak = 0

    async def __call__(self, prompt: PromptSpec, report: Report) -> list[Picture]:
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            return await draw(prompt, report)
        finally:
            self.now -= 1


async def carry_all(world: World, batch_id: str, workers: int, dice: random.Random | None = None) -> None:
    """Workers that take what is due until the batch has ended; with dice, one claim in six is somebody's last."""
    points = ("claimed", "intended", "sent", "answered", "kept", "stored", "completed")

    async def work(number: int) -> None:
        while (await seen(world, batch_id)).status == "running":
            killed_at = dice.choice(points) if dice is not None and dice.random() < 1 / 6 else ""
            try:
                if not await world.runner(f"w{number}", killed_at=killed_at).carry("batch"):
                    await asyncio.sleep(0.01)
            except Killed:
                await world.database.execute(_LAPSED, f"w{number}")

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for number in range(workers):
            tasks.create_task(work(number))


_LAPSED = "UPDATE runs SET lease_until = now() - interval '1 s' WHERE worker = $1 AND status IN ('pending', 'running')"


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_no_more_than_so_many_go_on_at_a_time_and_no_place_stays_empty(crowd: World, concurrency: int) -> None:
    """BA2"""
    crowd.provider.script = script = FullHouse(20, concurrency)
    started = await start(crowd, 20, concurrency)

    await carry_all(crowd, started.batch_id, workers=6)

    assert script.peak == concurrency
    batch = await seen(crowd, started.batch_id)
    assert (batch.status, len(batch.results), batch.errors) == ("completed", 20, [])
    assert batch.finished_at is not None


async def test_places_are_kept_over_the_death_of_workers(crowd: World) -> None:
    """BA2, JB7: a limit that is in rows holds whoever dies"""
    print(f"seed {SEED}")
    crowd.provider.script = script = Counting()
    started = await start(crowd, 30, concurrency=3)

    await carry_all(crowd, started.batch_id, workers=6, dice=random.Random(SEED))

    assert script.peak <= 3
    batch = await seen(crowd, started.batch_id)
    assert (batch.status, len(batch.results)) == ("completed", 30)
    assert await crowd.count("renders") == 30


async def test_one_that_waits_for_its_provider_keeps_its_place(crowd: World) -> None:
    """BA2, JB27"""

    async def away(prompt: PromptSpec, report: Report) -> list[Picture]:
        raise ProviderUnavailable("It is not available.")

    crowd.provider.script = away
    started = await start(crowd, 2, concurrency=1)

    assert await crowd.runner().carry("batch")
    assert not await crowd.runner().carry("batch")

    first, second = started.runs
    assert "next try" in str((await crowd.runs.get(first.job_id)).waits_for)
    assert (await crowd.runs.get(second.job_id)).waits_for == "In line in its batch"


async def test_a_place_that_stayed_empty_is_filled_when_somebody_looks(crowd: World) -> None:
    """BA2: whoever ended the first found the next one locked"""
    started = await start(crowd, 2, concurrency=1)
    first, second = started.runs
    async with crowd.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM runs WHERE id = $1 FOR UPDATE", second.job_id)
        await crowd.runs.cancel(first.job_id)
    assert (await crowd.runs.get(second.job_id)).waits_for == "In line in its batch"

    assert await crowd.store.fill_batches() == 1

    assert (await crowd.runs.get(second.job_id)).waits_for is None
    assert await crowd.runner().carry("batch")
    assert (await seen(crowd, started.batch_id)).status == "completed"
    assert await crowd.store.fill_batches() == 0


async def test_runs_of_a_batch_are_runs_like_others(crowd: World) -> None:
    """BA3, BA4"""
    started = await start(crowd, 3, concurrency=1)
    first, second, third = (run.job_id for run in started.runs)
    await crowd.runs.cancel(third)
    await crowd.runner().carry("batch")
    crowd.provider.price_usd = None
    await crowd.runs.cancel(second)

    batch = await seen(crowd, started.batch_id)

    assert batch.status == "completed"
    assert [(item.index, item.job_id, item.status) for item in batch.results] == [(0, first, "completed")]
    assert str(batch.results[0].image_url).startswith("/objects/originals/ada/")
    assert [(item.index, item.code) for item in batch.errors] == [(1, "CANCELLED"), (2, "CANCELLED")]
    assert batch.errors[0].detail
    again = await crowd.runs.retry(second, "ada")
    assert again.batch_id is None
    with pytest.raises(NotFound):
        await batches_of(crowd).get(started.batch_id, "bob")


async def test_a_batch_of_which_nothing_came_has_failed(crowd: World) -> None:
    """BA4"""

    async def blank(prompt: PromptSpec, report: Report) -> list[Picture]:
        return [Picture(b"broken")]

    crowd.provider.script = blank
    started = await start(crowd, 2)
    await carry_all(crowd, started.batch_id, workers=1)

    batch = await seen(crowd, started.batch_id)

    assert (batch.status, batch.results, batch.counts["failed"]) == ("failed", [], 2)
    assert isinstance(batch.errors[1], BatchItem)
    assert batch.errors[1].code == "IMAGE_INVALID"


async def test_cancelling_a_batch_stops_what_waits_and_asks_what_runs(crowd: World) -> None:
    """BA5"""
    crowd.provider.script = crowd.provider.wait_and_draw
    started = await start(crowd, 4, concurrency=2)
    carrying = asyncio.create_task(crowd.runner().carry("batch"))
    await crowd.provider.started.wait()

    batch = await batches_of(crowd).cancel(started.batch_id, "ada")

    assert batch.cancelled_at is not None
    assert batch.counts["cancelled"] == 3
    await carrying
    assert crowd.provider.was_cancelled
    batch = await seen(crowd, started.batch_id)
    assert (batch.status, batch.counts["cancelled"], len(crowd.provider.orders)) == ("failed", 4, 1)
    with pytest.raises(Conflict) as refusal:
        await batches_of(crowd).cancel(started.batch_id, "ada")
    assert refusal.value.code == "INVALID_STATE"
    with pytest.raises(NotFound):
        await batches_of(crowd).cancel(started.batch_id, "bob")

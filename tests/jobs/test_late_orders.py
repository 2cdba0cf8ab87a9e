"""Orders of which nobody knew what became of them when their run ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.replay import replay
from canvas.relay.port import RunsHint
from jobs.costs import Usage
from jobs.errors import OutcomeUnknown, ProviderFailed, ProviderUnavailable
from jobs.late_orders import PAUSES_S
from jobs.providers.fal import FalProvider
from jobs.providers.generic import GenericProvider
from jobs.providers.http import open_http
from jobs.providers.midjourney import MidjourneyProvider
from jobs.providers.polling import Pace
from jobs.providers.port import PromptSpec, Provider
from jobs.providers.registry import Registry
from jobs.providers.replicate import ReplicateProvider
from jobs.run import LATE, ImageJobRecord, StartImageJobRequest
from jobs.store.costs import CostStore
from jobs.webhooks.delivery import News
from jobs.webhooks.inbox import Inbox
from tests.jobs.providers.sim.fal import Fal
from tests.jobs.providers.sim.generic import Generic
from tests.jobs.providers.sim.midjourney import PiApi
from tests.jobs.providers.sim.queue import Queue
from tests.jobs.providers.sim.replicate import Replicate
from tests.jobs.providers.sim.server import Server, cut_after
from tests.jobs.world import World

pytestmark = pytest.mark.anyio

PACE = Pace(every_s=0.01)


async def lost(world: World) -> ImageJobRecord:
    """A paid order that was accepted, and nobody knows it: the run ended as OUTCOME_UNKNOWN."""
    world.provider.has_tickets = world.provider.is_paid = True
    world.provider.price_usd = 0.04
    submit = world.provider.submit

    async def cut_off(order: object) -> object:
        await submit(order)  # type: ignore[arg-type]
        raise OutcomeUnknown("No answer came.")

    world.provider.submit = cut_off  # type: ignore[assignment, method-assign]
    world.provider.unsure = OutcomeUnknown("Nobody knows.")
    record = await world.start()
    await world.runner().carry(record.job_id)
    failed = await world.runs.get(record.job_id)
    assert failed.error is not None
    assert (failed.error.code, await world.call_states()) == ("OUTCOME_UNKNOWN", ["unknown"])
    assert failed.cost is not None
    assert failed.cost.is_unknown
    return failed


async def report(world: World, *, provider: str, job_id: str) -> None:
    """As its webhook would be kept, sorted by the order's id in its address."""
    order_id = await world.database.fetchval("SELECT id FROM provider_calls")
    inbox = Inbox(world.database, world.relay)
    await inbox.keep(provider, News(f"evt-{job_id}-{order_id}", job_id, "succeeded"), order_id)
    assert await inbox.sort() == 1


async def usage(world: World) -> Usage:
    (row,) = await CostStore(world.database).usage("ada", ("provider",))
    return row


@asynccontextmanager
async def vendors(name: str, http: httpx.AsyncClient) -> AsyncIterator[tuple[Provider, Server, Queue, str]]:
    """The adapter, its simulated vendor, and the path of its orders. None of them can be asked by our own id."""
    match name:
        case "replicate":
            replicate = Replicate("key")
            async with replicate.server as server:
                yield ReplicateProvider("key", replicate.base_url, http, pace=PACE), server, replicate.queue, "flux-dev"
        case "fal":
            fal = Fal("key")
            async with fal.server as server:
                yield FalProvider("key", fal.base_url, http, pace=PACE), server, fal.queue, "flux/dev"
        case "generic":
            generic = Generic(None)
            generic.knows_our_ids = False
            async with generic.server as server:
                yield GenericProvider(generic.url, "", http, pace=PACE), server, generic.queue, ""
        case _:
            piapi = PiApi("key")
            async with piapi.server as server:
                yield MidjourneyProvider("key", piapi.base_url, http, pace=PACE), server, piapi.queue, ""


@pytest.mark.parametrize(
    ("name", "model", "pictures"),
    [
        ("replicate", "black-forest-labs/flux-dev", 1),
        ("fal", "fal-ai/flux/dev", 1),
        ("generic", "default", 1),
        ("midjourney", "midjourney", 4),
    ],
)
async def test_a_late_report_brings_the_picture_that_was_paid_for(
    world: World, name: str, model: str, pictures: int
) -> None:
    """JB35, JB32"""
    async with open_http() as http, vendors(name, http) as (provider, server, queue, path):
        world.registry = Registry([provider])
        runs = world.runs = world.open_runs(world.bells, world.registry)
        server.then(cut_after, on=path)
        prompt = PromptSpec(base_prompt="a fox")
        record = await runs.start(StartImageJobRequest("n1", "wf", prompt, name, model), "ada")
        await world.runner().carry(record.job_id)
        failed = await runs.get(record.job_id)
        assert failed.error is not None
        assert failed.error.code == "OUTCOME_UNKNOWN"
        (job_id,) = queue.jobs

        await report(world, provider=name, job_id=job_id)
        assert await world.late_orders().look() == 1

        assert len(queue.jobs) == 1  # asked after, never ordered again
    done = await runs.get(record.job_id)
    assert (done.status, done.error, done.images) == ("failed", failed.error, ())
    assert len(done.late_images) == pictures
    (dead,) = await runs.dead()
    assert dead == done
    assert await world.call_states() == ["kept"]
    assert (await usage(world)).images == pictures
    rows = await world.database.fetch("SELECT run_id, picture, prompt FROM renders ORDER BY picture")
    assert [tuple(row) for row in rows] == [(record.job_id, number, "a fox") for number in range(pictures)]
    assert (await world.node())["imageUrl"] == done.late_images[0]


async def test_what_it_cost_is_known_then_and_everybody_is_told(world: World) -> None:
    """JB35, JB1, JB20"""
    failed = await lost(world)
    events = await world.events.list_events(failed.job_id)
    world.provider.unsure = None
    await world.let_late_be_due()

    assert await world.late_orders().look() == 1

    done = await world.runs.get(failed.job_id)
    assert done.cost is not None
    assert (done.status, done.cost.is_unknown, done.cost.actual_usd) == ("failed", False, 0.04)
    assert await world.events.list_events(failed.job_id) == events
    node = await world.node()
    assert (node["status"], node["error"]) == ("error", LATE)
    assert node["imageUrl"] == done.late_images[0]
    assert node["thumbnailUrl"].startswith("/objects/thumbnails/")
    frames = [run for hint in world.hints if isinstance(hint, RunsHint) for run in hint.runs]
    assert (frames[-1]["jobId"], frames[-1]["status"], frames[-1]["message"]) == (failed.job_id, "failed", LATE)
    assert len(world.provider.orders) == 1
    assert await replay(world.runs, None) == []


async def test_it_is_looked_for_by_our_own_id_and_let_go_in_the_end(world: World) -> None:
    """JB35"""
    await lost(world)
    assert await world.late_orders().look() == 0  # not due yet
    looks = 0
    while True:
        await world.let_late_be_due()
        if not await world.late_orders().look():
            break
        looks += 1

    assert looks == len(PAUSES_S) + 1
    assert await world.call_states() == ["unknown"]


async def test_a_report_is_heard_after_everybody_has_stopped_looking(world: World) -> None:
    """JB35"""
    await lost(world)
    await world.database.execute("UPDATE provider_calls SET look_at = NULL, looks = 99")
    world.provider.unsure = None

    await report(world, provider="local", job_id=f"job-{world.provider.orders[0].id}")

    assert await world.late_orders().look() == 1
    assert await world.call_states() == ["kept"]


async def test_a_report_that_comes_during_a_look_is_not_slept_over(world: World) -> None:
    """JB35: the look that found nothing puts nothing off that has become due meanwhile"""
    await lost(world)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def find(order: object) -> object:
        reached.set()
        await go_on.wait()
        raise ProviderUnavailable("Away.")

    world.provider.find = find  # type: ignore[assignment, method-assign]
    await world.let_late_be_due()
    looking = asyncio.create_task(world.late_orders().look())
    await reached.wait()
    await report(world, provider="local", job_id=f"job-{world.provider.orders[0].id}")
    go_on.set()
    await looking

    assert await world.late_orders().look() == 1


async def test_of_many_workers_one_takes_it_up(world: World) -> None:
    """JB35"""
    await lost(world)
    world.provider.unsure = None
    await world.let_late_be_due()

    looked = await asyncio.gather(*(world.late_orders().look() for _ in range(8)))

    assert sorted(looked) == [0] * 7 + [1]
    assert await world.count("renders") == 1


async def test_two_that_found_it_store_it_once(world: World) -> None:
    """JB35: a report made it due while somebody was fetching it"""
    await lost(world)
    world.provider.unsure = None
    world.provider.script = world.provider.wait_and_draw
    await world.let_late_be_due()
    first = asyncio.create_task(world.late_orders().look())
    await world.provider.started.wait()
    await world.let_late_be_due()
    second = asyncio.create_task(world.late_orders().look())
    world.provider.go_on.set()
    await asyncio.gather(first, second)

    assert await world.count("renders") == 1
    (done,) = await world.runs.dead()
    assert len(done.late_images) == 1


@pytest.mark.parametrize(("charged", "is_unknown"), [("no", False), ("unknown", True)])
async def test_what_has_failed_there_is_known_then(world: World, charged: str, is_unknown: bool) -> None:
    """JB35, JB32"""
    failed = await lost(world)
    world.provider.unsure = None

    async def fail(prompt: object, report: object) -> list[object]:
        raise ProviderFailed("No foxes today.", charged=charged)  # type: ignore[arg-type]

    world.provider.script = fail  # type: ignore[assignment]
    await world.let_late_be_due()

    assert await world.late_orders().look() == 1

    assert await world.call_states() == ["failed"]
    done = await world.runs.get(failed.job_id)
    assert done.cost is not None
    assert (done.error, done.cost.is_unknown) == (failed.error, is_unknown)


async def test_what_had_never_arrived_has_cost_nothing(world: World) -> None:
    """JB35, JB32"""
    failed = await lost(world)
    world.provider.unsure = None
    world.provider.orders.clear()
    await world.let_late_be_due()

    assert await world.late_orders().look() == 1

    cost = (await world.runs.get(failed.job_id)).cost
    assert cost is not None
    assert (await world.call_states(), cost.is_unknown, cost.actual_usd) == (["failed"], False, 0.0)


async def test_a_node_that_has_run_again_keeps_its_own_picture(world: World) -> None:
    """JB35"""
    await lost(world)
    world.provider.unsure = None
    del world.provider.submit
    again = await world.start(seed=8)
    await world.runner().carry(again.job_id)
    node = await world.node()
    await world.let_late_be_due()

    assert await world.late_orders().look() == 1

    assert await world.node() == node
    assert await world.count("renders") == 2


async def test_of_a_cancelled_run_the_job_is_told_to_stop(world: World) -> None:
    """JB35, JB30"""
    failed = await lost(world)
    await world.database.execute("UPDATE runs SET status = 'cancelled' WHERE id = $1", failed.job_id)
    world.provider.unsure = None
    await world.let_late_be_due()

    assert await world.late_orders().look() == 1

    assert (world.provider.told, await world.call_states()) == ([f"job-{world.provider.orders[0].id}"], ["cancelled"])
    assert await world.count("renders") == 0


async def test_a_paid_order_of_a_failed_run_is_not_called_off_unseen(world: World) -> None:
    """JB35, JB30: the provider could not be asked for so long that the run failed; now it can"""
    world.provider.has_tickets = world.provider.is_paid = True
    submit = world.provider.submit

    async def cut_off(order: object) -> object:
        await submit(order)  # type: ignore[arg-type]
        raise OutcomeUnknown("No answer came.")

    world.provider.submit = cut_off  # type: ignore[assignment, method-assign]
    world.provider.unsure = ProviderUnavailable("Away.", retry_after_s=901)
    record = await world.start()
    await world.runner().carry(record.job_id)
    assert ((await world.runs.get(record.job_id)).status, await world.call_states()) == ("failed", ["sending"])
    await world.database.execute("UPDATE provider_calls SET sent_at = now() - interval '31 s'")
    world.provider.unsure = None

    assert await world.cancels().tell() == 1
    await world.let_late_be_due()
    assert await world.late_orders().look() == 1

    assert (world.provider.told, await world.call_states()) == ([], ["kept"])


async def test_what_was_told_to_stop_too_late_is_kept(world: World) -> None:
    """JB35, JB24: it was not done in time, and done when the provider heard that it should stop"""
    world.provider.has_tickets = world.provider.is_paid = True
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    await world.runner(deadline_s=0.3).carry(record.job_id)
    assert await world.cancels().tell() == 1
    assert len(world.provider.told) == 1
    world.provider.go_on.set()
    await world.let_late_be_due()

    assert await world.late_orders().look() == 1

    assert len((await world.runs.get(record.job_id)).late_images) == 1


async def test_a_picture_of_an_order_beside_others_comes_after_them(world: World) -> None:
    """JB35, JB34: the run has completed without it"""
    world.sell_one_at_a_time()
    world.provider.has_tickets = world.provider.is_paid = True
    submit = world.provider.submit

    async def cut_off(order: object) -> object:
        ticket = await submit(order)  # type: ignore[arg-type]
        if len(world.provider.orders) == 1:
            raise OutcomeUnknown("No answer came.")
        return ticket

    world.provider.submit = cut_off  # type: ignore[assignment, method-assign]
    world.provider.unsure = OutcomeUnknown("Nobody knows.")
    record = await world.start(n=2)
    await world.runner().carry(record.job_id)
    node = await world.node()
    world.provider.unsure = None
    await world.let_late_be_due()

    assert await world.late_orders().look() == 1

    done = await world.runs.get(record.job_id)
    assert (done.status, len(done.images), len(done.late_images)) == ("completed", 1, 1)
    assert await world.node() == node
    assert await world.database.fetchval("SELECT object_key FROM renders WHERE picture = 1") in done.late_images[0]

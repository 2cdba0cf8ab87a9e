from __future__ import annotations

import asyncpg
import pytest

from canvas.errors import BadRequest, Conflict, NotFound
from canvas.relay.port import CancelHint, EventsHint, OpsHint, RunsHint
from jobs.errors import ConfigMissing, ModelUnknown
from jobs.providers.port import PromptSpec
from jobs.providers.registry import Registry
from jobs.run import StartImageJobRequest
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


async def test_start_stores_run_event_and_node_together_and_then_says_so(world: World) -> None:
    """JB2, JB3, JB22"""
    record = await world.start()

    assert (record.status, record.attempt, record.model) == ("pending", 0, "studio-1")
    assert await world.story(record.job_id) == ["status pending"]
    node = await world.node()
    assert (node["status"], node["jobId"], node["prompt"]) == ("pending", record.job_id, "a fox")
    assert [type(hint) for hint in world.hints] == [EventsHint, OpsHint, RunsHint]


async def test_a_start_that_fails_leaves_nothing(world: World) -> None:
    """JB2, JB3"""
    await world.database.execute("ALTER TABLE outbox ADD CONSTRAINT broken CHECK (false)")

    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await world.start()
    finally:
        await world.database.execute("ALTER TABLE outbox DROP CONSTRAINT broken")

    assert [await world.count(table) for table in ("runs", "run_events", "workflow_ops")] == [0, 0, 0]
    assert "status" not in await world.node()
    assert world.hints == []


@pytest.mark.parametrize(("workflow_id", "node_id"), [("wf", "n9"), ("nowhere", "n1")])
async def test_an_unknown_node_or_workflow_is_not_found(world: World, workflow_id: str, node_id: str) -> None:
    """JB3"""
    with pytest.raises(NotFound):
        await world.runs.start(StartImageJobRequest(node_id, workflow_id, PromptSpec("a"), "local"), "ada")

    assert await world.count("runs") == 0


async def test_a_workflow_in_the_trash_starts_nothing(world: World) -> None:
    """JB3"""
    await world.database.execute("UPDATE workflows SET deleted_at = now()")

    with pytest.raises(NotFound):
        await world.start()


@pytest.mark.parametrize(
    ("provider", "model", "error"), [("openai", "", ConfigMissing), ("local", "dall-e-2", ModelUnknown)]
)
async def test_without_provider_or_model_nothing_is_stored(
    world: World, provider: str, model: str, error: type[Exception]
) -> None:
    """JB3"""
    with pytest.raises(error):
        await world.runs.start(StartImageJobRequest("n1", "wf", PromptSpec("a"), provider, model), "ada")

    assert await world.count("runs") == 0


async def test_a_node_has_one_live_run(world: World) -> None:
    """JB3"""
    first = await world.start()

    with pytest.raises(Conflict) as caught:
        await world.start()

    assert (caught.value.code, caught.value.facts) == ("RUN_LIVE", {"jobId": first.job_id})
    assert (await world.start(node="n2")).status == "pending"


async def test_replace_cancels_the_live_run_in_the_same_transaction(world: World) -> None:
    """JB3, JB5"""
    first = await world.start()

    second = await world.start(replace=True)

    assert (await world.runs.get(first.job_id)).status == "cancelled"
    assert (await world.node())["jobId"] == second.job_id
    assert CancelHint(first.job_id) in world.hints
    both = await world.events.list_workflow_events("wf")
    assert [event.workflow_seq for event in both] == [1, 2, 3]


async def test_a_redis_that_is_away_does_not_trouble_a_start(world: World) -> None:
    """JB11"""
    from redis.asyncio import Redis

    from jobs.queue import ArqDoorbell
    from jobs.store.bells import BellStore

    bells = BellStore(world.database, ArqDoorbell(Redis(unix_socket_path="/nowhere/redis.sock")))
    runs = world.open_runs(bells, world.registry)

    record = await runs.start(StartImageJobRequest("n1", "wf", PromptSpec("a"), "local"), "ada")

    assert record.status == "pending"
    assert await world.count("outbox") == 1
    assert await world.bells.ring() == 1


async def test_a_pending_run_is_cancelled_at_once(world: World) -> None:
    """JB9"""
    record = await world.start()

    cancelled = await world.runs.cancel(record.job_id)

    assert cancelled.status == "cancelled"
    assert cancelled.finished_at is not None
    assert (await world.node())["status"] == "cancelled"
    await world.runner().carry(record.job_id)
    assert world.provider.prompts == []


async def test_a_run_that_has_ended_cannot_be_cancelled(world: World) -> None:
    """JB1, JB9"""
    record = await world.start()
    await world.runner().carry(record.job_id)

    with pytest.raises(Conflict) as caught:
        await world.runs.cancel(record.job_id)

    assert caught.value.code == "INVALID_STATE"


async def test_a_workflow_on_its_way_to_the_trash_takes_its_live_runs_along(world: World) -> None:
    """JB9, JB21"""
    first, second = await world.start(), await world.start(node="n2")
    await world.claims.claim("w1", 15)
    await world.database.execute("UPDATE workflows SET deleted_at = now() WHERE id = 'wf'")
    before = await world.node()

    assert await world.runs.cancel_live("wf") == 2

    assert [(await world.runs.get(job.job_id)).status for job in (first, second)] == ["cancelled", "cancelled"]
    assert await world.node() == before


async def test_retry_is_a_new_run_of_the_same_request(world: World) -> None:
    """JB23"""
    first = await world.start(seed=3)
    with pytest.raises(Conflict):
        await world.runs.retry(first.job_id, "ada")
    await world.runner().carry(first.job_id)

    second = await world.runs.retry(first.job_id, "ada")
    await world.runner().carry(second.job_id)

    assert second.job_id != first.job_id
    assert [prompt.seed for prompt in world.provider.prompts] == [3, 3]


async def test_the_list_shows_members_runs_newest_first_a_page_at_a_time(world: World) -> None:
    jobs = [(await world.start(node=f"n{number % 2 + 1}", replace=True)).job_id for number in range(5)]

    first = await world.runs.list("ada", limit=2)
    second = await world.runs.list("ada", limit=2, cursor=first.next_cursor)
    third = await world.runs.list("ada", limit=2, cursor=second.next_cursor)

    assert [run.job_id for page in (first, second, third) for run in page.items] == jobs[::-1]
    assert third.next_cursor is None
    assert (await world.runs.list("bob")).items == []


async def test_the_list_is_filtered(world: World) -> None:
    """JB45"""
    first = await world.start()
    second = await world.start(node="n2")
    await world.runs.cancel(first.job_id)

    async def found(**filters: str | bool) -> list[str]:
        return [run.job_id for run in (await world.runs.list("ada", **filters)).items]  # type: ignore[arg-type]

    assert await found(status="cancelled") == [first.job_id]
    assert await found(node_id="n2") == [second.job_id]
    assert await found(workflow_id="other") == []
    assert len(await found(provider="local", workflow_id="wf")) == 2
    assert len(await found(mine=True)) == 2


async def test_a_cursor_or_limit_that_is_not_ours_is_refused(world: World) -> None:
    for arguments in ({"cursor": "x"}, {"limit": 0}, {"limit": 201}):
        with pytest.raises(BadRequest):
            await world.runs.list("ada", **arguments)


async def test_live_runs_are_told_in_the_form_of_a_frame(world: World) -> None:
    record = await world.start()
    await world.claims.claim("w1", 15)

    (frame,) = await world.runs.live("wf")

    assert frame.as_json() == {"jobId": record.job_id, "nodeId": "n1", "status": "running", "progress": 0}


async def test_a_registry_without_the_provider_says_which_setting_is_missing(world: World) -> None:
    runs = world.open_runs(world.bells, Registry([]))

    with pytest.raises(ConfigMissing, match="GOOGLE_API_KEY"):
        await runs.start(StartImageJobRequest("n1", "wf", PromptSpec("a"), "google"), "ada")

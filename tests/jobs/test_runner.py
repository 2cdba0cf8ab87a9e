from __future__ import annotations

import asyncio
import hashlib

import pytest

from canvas.errors import Unavailable
from canvas.relay.port import RunsHint
from jobs.errors import LeaseLost, ProviderFailed
from jobs.providers.port import Picture, Progress, PromptSpec, Report
from jobs.renders import RenderFilter
from jobs.run import Failure, Run
from jobs.runner import MAX_TAKEOVERS
from tests.jobs.world import World, draw

pytestmark = pytest.mark.anyio


async def test_a_run_goes_from_its_bell_to_a_stored_picture_on_its_node(world: World) -> None:
    """JB8, JB21, JB22"""
    record = await world.start()

    await world.runner().carry(record.job_id)

    done = await world.runs.get(record.job_id)
    assert (done.status, done.progress, done.attempt, done.error) == ("completed", 100, 1, None)
    node = await world.node()
    assert (node["status"], node["imageUrl"]) == ("completed", done.image_url)
    (render,) = await world.renders.of_account("ada", RenderFilter(), before=None, limit=9)
    assert (render.image_url, render.width, render.height) == (done.image_url, 64, 32)
    assert (render.origin.prompt, render.origin.seed) == ("a fox", 7)
    assert [(variant.kind, variant.width) for variant in render.variants] == [
        ("thumbnail", 300),
        ("icon", 128),
        ("display", 64),
    ]
    assert node["thumbnailUrl"] == render.variants[0].url
    assert len(world.files()) == await world.count("objects") == 4
    assert await world.story(record.job_id) == ["status pending", "status running", "status completed"]


async def test_each_picture_of_a_run_is_a_render_of_its_own(world: World) -> None:
    """JB8, JB22"""
    record = await world.start(n=3)

    await world.runner().carry(record.job_id)

    done = await world.runs.get(record.job_id)
    assert len(set(done.images)) == 3
    node = await world.node()
    assert node["madeWith"] == {"prompt": "a fox", "provider": "local", "model": "studio-1", "n": 3}
    results = node["results"]
    assert [result["imageUrl"] for result in results] == list(done.images)
    assert len({result["thumbnailUrl"] for result in results} - set(done.images)) == 3
    assert (await world.count("renders"), len(world.files())) == (3, 12)


async def test_fewer_pictures_than_asked_for_are_kept_and_said(world: World) -> None:
    """JB10"""

    async def one(prompt: PromptSpec, report: Report) -> list[Picture]:
        return [Picture(b"one")]

    world.provider.script = one
    record = await world.start(n=2)

    await world.runner().carry(record.job_id)

    assert (await world.runs.get(record.job_id)).status == "completed"
    assert "log 1 of 2 pictures were made" in await world.story(record.job_id)


async def test_no_picture_at_all_is_a_failure(world: World) -> None:
    """JB10"""

    async def none(prompt: PromptSpec, report: Report) -> list[Picture]:
        return []

    world.provider.script = none

    assert (await failure_of(world)).code == "NO_IMAGE_RETURNED"


async def failure_of(world: World, deadline_s: float = 60.0) -> Failure:
    """Start a run, carry it, and say why it failed."""
    record = await world.start()
    await world.runner(deadline_s=deadline_s).carry(record.job_id)
    done = await world.runs.get(record.job_id)
    assert done.status == "failed"
    assert done.error is not None
    return done.error


async def test_a_provider_that_fails_ends_the_run_with_its_sentence_on_the_node(world: World) -> None:
    """JB10, JB22"""

    async def refuse(prompt: PromptSpec, report: Report) -> list[Picture]:
        raise ProviderFailed("No foxes today.", charged="unknown")

    world.provider.script, world.provider.is_paid = refuse, True

    error = await failure_of(world)

    assert error == Failure("PROVIDER_FAILED", "No foxes today.", False, "unknown", provider="local")
    node = await world.node()
    assert (node["status"], node["error"]) == ("error", "No foxes today.")
    story = await world.story(node["jobId"])
    assert story[-2:] == ["error No foxes today.", "status failed"]


async def test_a_new_start_takes_the_old_error_away(world: World) -> None:
    """JB22"""
    world.pictures.inspect = None  # type: ignore[assignment, method-assign]
    await failure_of(world)

    await world.start()

    assert "error" not in await world.node()


async def test_what_nobody_foresaw_ends_the_run_without_internals(world: World) -> None:
    """JB10"""

    async def crash(prompt: PromptSpec, report: Report) -> list[Picture]:
        raise ZeroDivisionError("secret")

    world.provider.script = crash

    error = await failure_of(world)

    assert (error.code, error.charged) == ("INTERNAL", "unknown")
    assert "secret" not in error.detail


async def test_a_picture_that_is_not_one_fails_the_run_and_stores_nothing(world: World) -> None:
    """JB8"""

    async def broken(prompt: PromptSpec, report: Report) -> list[Picture]:
        return [Picture(b"broken")]

    world.provider.script = broken

    error = await failure_of(world)

    assert (error.code, error.detail) == ("IMAGE_INVALID", "The picture ends before it is complete.")
    assert (world.files(), await world.count("renders")) == ([], 0)


async def test_a_provider_has_a_deadline(world: World) -> None:
    """JB24"""
    world.provider.script = world.provider.wait_and_draw

    error = await failure_of(world, deadline_s=0.3)

    assert (error.code, error.charged) == ("POLL_TIMEOUT", "no")
    assert world.provider.was_cancelled


async def test_a_timeout_of_the_providers_own_is_not_our_deadline(world: World) -> None:
    """JB10"""

    async def time_out(prompt: PromptSpec, report: Report) -> list[Picture]:
        raise TimeoutError

    world.provider.script = time_out

    assert (await failure_of(world)).code == "INTERNAL"


async def test_a_store_that_recovers_costs_only_time(world: World) -> None:
    """JB17"""
    world.objects.refusals = 3
    record = await world.start()

    await world.runner().carry(record.job_id)

    assert (await world.runs.get(record.job_id)).status == "completed"
    pauses = [world.patience.pause_s(tries, lambda: 1.0) for tries in (1, 2, 3)]
    assert all(pause / 2 <= slept <= pause for slept, pause in zip(world.slept, pauses, strict=True))


async def test_a_store_that_stays_away_fails_the_run_after_five_tries(world: World) -> None:
    """JB17"""
    world.objects.refusals = 5

    error = await failure_of(world)

    assert (error.code, error.retryable) == ("STORAGE_FAILED", True)
    assert len(world.slept) == 4


async def test_a_node_deleted_meanwhile_stays_deleted_and_the_picture_is_kept(world: World) -> None:
    """JB21"""
    record = await world.start()
    await world.database.execute("DELETE FROM workflow_nodes WHERE id = 'n1'")

    await world.runner().carry(record.job_id)

    assert (await world.runs.get(record.job_id)).status == "completed"
    assert await world.count("renders") == 1
    assert await world.database.fetchval("SELECT count(*) FROM workflow_nodes WHERE workflow_id = 'wf'") == 1


async def test_of_two_workers_at_one_bell_one_carries_the_run(world: World) -> None:
    """JB4"""
    record = await world.start()

    claims = await asyncio.gather(*(world.claims.claim(f"w{n}", 15) for n in range(5)))

    assert len([claim for claim in claims if claim is not None]) == 1
    assert (await world.runs.get(record.job_id)).attempt == 1


async def test_a_bell_for_a_run_that_nobody_knows_is_nothing(world: World) -> None:
    """JB4"""
    await world.runner().carry("run_unknown")

    assert world.provider.prompts == []


async def test_a_worker_whose_lease_ran_out_is_refused_everywhere(world: World) -> None:
    """JB5, JB7"""
    record = await world.start()
    late = await world.claims.claim("w1", 15)
    assert late is not None
    await world.let_lease_run_out(record.job_id)

    new = await world.claims.claim("w2", 15)

    assert new is not None
    assert (new.is_takeover, new.run.attempt, new.run.fence) == (True, 1, 2)
    before = await world.story(record.job_id)
    for write in (
        world.claims.heartbeat(late.run, 15),
        world.claims.keep_progress(late.run, Progress(50, "Half")),
        world.claims.note(late.run, "hello"),
        world.claims.complete(late.run, []),
        world.claims.fail(late.run, Failure("INTERNAL", "no", False, "no")),
        world.claims.end_cancelled(late.run),
    ):
        with pytest.raises(LeaseLost):
            await write
    await world.claims.release(late.run)
    assert await world.story(record.job_id) == before
    assert (await world.runs.get(record.job_id)).status == "running"


async def test_a_worker_that_lost_its_lease_stops_its_provider_and_says_nothing(world: World) -> None:
    """JB5, JB6"""
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    slow = asyncio.create_task(world.runner("w1", lease_s=0.15).carry(record.job_id))
    await world.provider.started.wait()

    await world.database.execute("UPDATE runs SET fence = fence + 1, worker = 'w2' WHERE id = $1", record.job_id)
    await slow

    assert world.provider.was_cancelled
    assert (await world.runs.get(record.job_id)).status == "running"


async def test_a_worker_killed_in_the_middle_is_taken_over_and_the_picture_exists_once(world: World) -> None:
    """JB7, JB8, JB16"""
    record = await world.start(seed=None)
    # What a worker killed between its last write to the object store and its commit leaves behind.
    claim = await world.claims.claim("w1", 15)
    assert claim is not None
    await world.runner("w1")._make(claim)
    left_behind = world.files()
    await world.let_lease_run_out(record.job_id)

    await world.runner("w2").carry(record.job_id)

    assert (await world.runs.get(record.job_id)).status == "completed"
    assert world.files() == left_behind
    assert (await world.count("renders"), await world.count("objects")) == (1, 4)
    assert len(world.provider.orders) == 1  # what was kept is not asked for again
    assert "log Taken over by another worker" in await world.story(record.job_id)


async def test_a_worker_that_is_stopped_gives_its_lease_back(world: World) -> None:
    """JB15"""
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    stopped = asyncio.create_task(world.runner("w1").carry(record.job_id))
    await world.provider.started.wait()

    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    assert await world.bells.ring() == 1
    world.provider.script = draw
    await world.runner("w2").carry(record.job_id)

    assert (await world.runs.get(record.job_id)).status == "completed"


async def test_a_worker_that_cannot_reach_the_database_for_a_lease_has_lost_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JB6"""

    async def be_away(run: Run, lease_s: float) -> bool:
        raise Unavailable("The database cannot be reached right now.")

    world.provider.script = world.provider.wait_and_draw
    monkeypatch.setattr(world.claims, "heartbeat", be_away)
    record = await world.start()

    await world.runner(lease_s=0.5).carry(record.job_id)  # long enough for the provider to have begun

    assert world.provider.was_cancelled
    assert (await world.runs.get(record.job_id)).status == "running"


async def test_a_database_that_goes_away_at_the_end_leaves_the_run_to_the_next_worker(world: World) -> None:
    """JB6, JB7"""
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    carried = asyncio.create_task(world.runner("w1").carry(record.job_id))
    await world.provider.started.wait()
    holder = await world.database.acquire()
    await holder.execute("BEGIN; SELECT FROM workflows WHERE id = 'wf' FOR UPDATE")
    world.provider.go_on.set()
    while not carried.done():  # each time the worker stands at the workflow's lock, about to complete
        await world.database.execute(_BREAK_CONNECTIONS)
    await carried
    await holder.execute("ROLLBACK")
    await world.database.release(holder)
    assert (await world.runs.get(record.job_id)).status == "running"
    await world.let_lease_run_out(record.job_id)

    await world.runner("w2").carry(record.job_id)

    assert (await world.runs.get(record.job_id)).status == "completed"
    assert (await world.count("renders"), len(world.files())) == (1, 4)


_BREAK_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()"""


async def test_a_running_run_is_cancelled_through_its_worker(world: World) -> None:
    """JB9"""
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    carried = asyncio.create_task(world.runner().carry(record.job_id))
    await world.provider.started.wait()

    assert (await world.runs.cancel(record.job_id)).status == "running"
    await carried

    assert world.provider.was_cancelled
    assert (await world.runs.get(record.job_id)).status == "cancelled"
    assert (await world.node())["status"] == "cancelled"
    assert await world.story(record.job_id) == [
        "status pending",
        "status running",
        "log Cancel requested",
        "status cancelled",
    ]


async def test_cancel_arrives_without_the_hint(world: World) -> None:
    """JB6, JB9"""
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    carried = asyncio.create_task(world.runner(lease_s=0.15).carry(record.job_id))
    await world.provider.started.wait()

    await world.database.execute("UPDATE runs SET cancel_requested = true")
    await carried

    assert (await world.runs.get(record.job_id)).status == "cancelled"


async def test_a_cancelled_run_whose_worker_is_dead_is_ended_by_the_next(world: World) -> None:
    """JB9"""
    record = await world.start()
    await world.claims.claim("w1", 15)
    await world.runs.cancel(record.job_id)
    await world.let_lease_run_out(record.job_id)

    await world.runner("w2").carry(record.job_id)

    assert (await world.runs.get(record.job_id)).status == "cancelled"
    assert world.provider.prompts == []


async def test_replacing_a_running_run_stops_its_worker(world: World) -> None:
    """JB3, JB5"""
    world.provider.script = world.provider.wait_and_draw
    first = await world.start()
    carried = asyncio.create_task(world.runner().carry(first.job_id))
    await world.provider.started.wait()

    second = await world.start(replace=True)
    await carried
    world.provider.script = draw
    await world.runner().carry(second.job_id)

    assert world.provider.was_cancelled
    assert (await world.runs.get(first.job_id)).status == "cancelled"
    assert (await world.node())["jobId"] == second.job_id
    assert await world.count("renders") == 1


async def test_a_run_that_keeps_losing_its_worker_ends(world: World) -> None:
    """JB24"""
    record = await world.start()
    await world.claims.claim("w1", 15)
    await world.database.execute("UPDATE runs SET takeovers = $1", MAX_TAKEOVERS)
    await world.let_lease_run_out(record.job_id)

    await world.runner().carry(record.job_id)

    assert (await world.runs.get(record.job_id)).status == "failed"
    assert world.provider.prompts == []


async def test_frames_show_the_steps_with_a_preview(world: World) -> None:
    """JB18"""
    record = await world.start()

    async def shown(prompt: PromptSpec, report: Report) -> list[Picture]:
        seen = asyncio.Event()
        forget = await world.relay.subscribe("wf", lambda hint: seen.set() if isinstance(hint, RunsHint) else None)
        await report(Progress(50, "Half", 1, 2, b"small picture"))
        await seen.wait()
        forget()
        return [Picture(b"one")]

    world.provider.script = shown
    await world.runner().carry(record.job_id)

    frames = [run for hint in world.hints if isinstance(hint, RunsHint) for run in hint.runs]
    assert {
        "jobId": record.job_id,
        "nodeId": "n1",
        "status": "running",
        "progress": 50,
        "step": 1,
        "steps": 2,
        "message": "Half",
        "previewUrl": f"/api/runs/{record.job_id}/preview?v=1",
    } in frames
    assert frames[-1]["status"] == "completed"
    assert await world.previews.read(record.job_id) == b"small picture"


async def test_keys_are_as_promised_and_tell_nothing_of_one_another(world: World) -> None:
    """JB16"""
    record = await world.start()

    await world.runner().carry(record.job_id)

    parts = [file.split("/") for file in world.files()]
    assert {part[0] for part in parts} == {"originals", "display", "thumbnails", "icons"}
    assert {part[1] for part in parts} == {"ada"}
    hidden = {part[2].split("-")[0] for part in parts}
    assert len(hidden) == 4
    (original,) = (part[2] for part in parts if part[0] == "originals")
    assert original.endswith(f"-{hashlib.sha256(b'picture 7').hexdigest()[:16]}.png")
    found = await world.renders.stored_object("/".join(next(part for part in parts if part[0] == "originals")))
    assert found is not None
    assert (found.content_type, found.size_bytes, found.account_id) == ("image/png", 9, "ada")

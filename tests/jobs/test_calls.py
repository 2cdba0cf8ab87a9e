"""What becomes of single orders: tried again, waited for, paid, kept."""

from __future__ import annotations

import pytest

from jobs.call import Answered, order_id, parts_of, paused
from jobs.errors import (
    ContentPolicy,
    JobError,
    LeaseLost,
    OutcomeUnknown,
    ProviderAuth,
    ProviderQuota,
    ProviderUnavailable,
    RateLimited,
    Said,
)
from jobs.job import Job
from jobs.providers.port import Limits, Picture, Progress, PromptSpec, Report, Ticket
from jobs.run import Failure, ImageJobRecord
from jobs.store.calls import Sending
from tests.jobs.world import STUDIO, Script, World, draw

pytestmark = pytest.mark.anyio

AWAY = ProviderUnavailable("Easel is not available.", said=Said("overloaded", "Try later.", "req_1", 503))


def failing(*errors: JobError, then: Script = draw) -> Script:
    """Raises one error after the other."""
    left = list(errors)

    async def script(prompt: PromptSpec, report: Report) -> list[Picture]:
        if left:
            raise left.pop(0)
        return await then(prompt, report)

    return script


async def carried(world: World, job_id: str, times: int = 1) -> ImageJobRecord:
    for _ in range(times):
        await world.let_wait_run_out()
        await world.runner().carry(job_id)
    return await world.runs.get(job_id)


async def test_an_order_that_was_surely_not_accepted_is_tried_three_times(world: World) -> None:
    """JB27"""
    world.provider.script = failing(AWAY, AWAY)
    record = await world.start()

    waiting = await carried(world, record.job_id)
    assert (waiting.status, waiting.attempt) == ("pending", 1)
    assert (await world.node())["status"] == "pending"
    done = await carried(world, record.job_id, times=2)

    assert (done.status, done.attempt) == ("completed", 3)
    assert await world.call_states() == ["failed", "failed", "kept"]
    assert len({order.id for order in world.provider.orders}) == 3
    assert "Easel is not available; next try in 0 s (2 of 3)" in await said(world, record.job_id)


async def said(world: World, job_id: str) -> list[str]:
    return [event.body.message for event in await world.events.list_events(job_id)]


async def test_a_run_that_waits_is_rung_when_its_time_has_come_and_not_before(world: World) -> None:
    """JB27, JB11"""
    world.provider.script = failing(AWAY)
    record = await world.start()
    await world.runner().carry(record.job_id)

    assert await world.runner().carry(record.job_id) is False
    assert await world.bells.ring() == 0
    assert await world.bells.find_lost(lost_after_s=0) == 0
    await world.database.execute("UPDATE outbox SET ring_at = now()")
    assert await world.bells.ring() == 1


async def test_the_pause_that_the_provider_names_wins(world: World) -> None:
    """JB27"""
    world.provider.script = failing(ProviderUnavailable("Away.", retry_after_s=40))
    record = await world.start()

    await carried(world, record.job_id)

    wait_s = await world.database.fetchval("SELECT extract(epoch FROM run_after - now())::float8 FROM runs")
    assert 38 < wait_s <= 40


async def test_a_run_whose_attempts_are_used_up_is_dead_until_it_is_replayed(world: World) -> None:
    """JB31"""
    world.provider.script = failing(AWAY, AWAY, AWAY)
    record = await world.start()

    done = await carried(world, record.job_id, times=3)

    assert done.error is not None
    assert (done.status, done.error.code, done.error.retryable, done.error.charged) == (
        "failed",
        "PROVIDER_UNAVAILABLE",
        True,
        "no",
    )
    assert (done.error.provider_code, done.error.provider_request_id, done.error.http_status) == (
        "overloaded",
        "req_1",
        503,
    )
    assert [run.job_id for run in await world.runs.dead()] == [record.job_id]
    again = await world.runs.retry(record.job_id, "ada")
    assert await world.runs.dead() == []
    assert (await world.runs.get(record.job_id)).replayed_as == again.job_id


@pytest.mark.parametrize("charged", ["yes", "unknown"])
async def test_what_may_have_been_charged_is_not_sent_again(world: World, charged: str) -> None:
    """JB27"""
    world.provider.is_paid = True
    world.provider.script = failing(ProviderUnavailable("Away.", charged=charged))  # type: ignore[arg-type]
    record = await world.start()

    done = await carried(world, record.job_id, times=2)

    assert done.error is not None
    assert (done.error.code, done.error.charged, len(world.provider.orders)) == ("PROVIDER_UNAVAILABLE", charged, 1)


async def test_a_429_is_waited_for_where_everybody_sees_it_and_uses_no_attempt(world: World) -> None:
    """JB28"""
    world.provider.script = failing(RateLimited("Slow down.", retry_after_s=30))
    record = await world.start()

    waiting = await carried(world, record.job_id)

    assert (waiting.status, waiting.attempt) == ("pending", 0)
    assert "Waiting for Easel, about 30 s" in await said(world, record.job_id)
    assert waiting.waits_for == "Waiting for Easel, about 30 s"  # and who comes in now sees it as well
    assert [frame.message for frame in await world.runs.live(record.workflow_id)] == [waiting.waits_for]
    assert await world.count("provider_calls") == 0
    assert await world.gate.enter("key", Limits(), "another") > 29  # nobody else runs into it meanwhile
    world.now += 1000
    done = await carried(world, record.job_id)
    assert (done.status, done.attempt, done.waits_for) == ("completed", 1, None)


async def test_a_provider_that_asks_to_wait_for_ever_fails_the_run(world: World) -> None:
    """JB28"""
    limited = RateLimited("Slow down.", retry_after_s=500)
    world.provider.script = failing(limited, limited)
    record = await world.start()

    await carried(world, record.job_id)
    world.now += 1000
    done = await carried(world, record.job_id)

    assert done.error is not None
    assert (done.status, done.error.code) == ("failed", "PROVIDER_RATE_LIMITED")


async def test_a_run_without_a_place_waits_in_line_and_loses_no_patience(world: World) -> None:
    """JB28"""
    world.provider.limits = Limits(concurrency=1)
    assert await world.gate.enter("key", world.provider.limits, "somebody else") == 0
    record = await world.start()

    waiting = await carried(world, record.job_id)

    assert (waiting.status, waiting.attempt, world.provider.orders) == ("pending", 0, [])
    assert "In line for Easel" in await said(world, record.job_id)
    assert await world.database.fetchval("SELECT waited_s FROM runs") == 0
    await world.gate.leave("key", "somebody else")
    assert (await carried(world, record.job_id)).status == "completed"
    assert await world.gate.enter("key", world.provider.limits, "the next") == 0  # the place was given back


@pytest.mark.parametrize("refusal", [ProviderAuth("Bad key."), ProviderQuota("No credit.")])
async def test_a_refused_key_stops_starts_and_waiting_runs_until_it_is_resumed(world: World, refusal: JobError) -> None:
    """JB29"""
    world.provider.script = failing(refusal)
    first, second = await world.start(), await world.start(node="n2")

    failed = [(await carried(world, run.job_id)).error for run in (first, second)]

    assert [error and error.code for error in failed] == [refusal.code, refusal.code]
    assert len(world.provider.orders) == 1
    assert len(await world.runs.dead()) == 2  # to be replayed when the key is right again
    with pytest.raises(type(refusal)):
        await world.start()
    await world.gate.resume("key")
    assert (await carried(world, (await world.start()).job_id)).status == "completed"
    assert paused(refusal.code, "Easel").code == refusal.code


async def test_a_lost_answer_is_looked_for_before_anything_else(world: World) -> None:
    """JB25"""
    world.provider.has_tickets = world.provider.is_paid = True
    submit = world.provider.submit

    async def lose(order):  # type: ignore[no-untyped-def]
        await submit(order)
        raise OutcomeUnknown("The connection broke.")

    world.provider.submit = lose  # type: ignore[method-assign]
    record = await world.start()

    done = await carried(world, record.job_id)

    assert (done.status, len(world.provider.orders)) == ("completed", 1)


async def test_an_accepted_order_that_cannot_be_looked_at_is_looked_at_later_and_never_sent_again(
    world: World,
) -> None:
    """JB25, JB28"""
    world.provider.has_tickets = world.provider.is_paid = True
    away = ProviderUnavailable("Away.", charged="unknown", retry_after_s=1)
    world.provider.script = failing(away, RateLimited("Slow down.", retry_after_s=1))
    record = await world.start()

    assert (await carried(world, record.job_id)).status == "pending"
    assert await world.call_states() == ["accepted"]
    done = await carried(world, record.job_id, times=2)

    assert (done.status, done.attempt, len(world.provider.orders)) == ("completed", 1, 1)


async def test_a_provider_that_cannot_be_asked_what_became_of_it_is_asked_later(world: World) -> None:
    """JB25"""
    world.provider.has_tickets = world.provider.is_paid = True
    record = await world.start()
    claim = await world.claims.claim("w1", 15)
    assert claim is not None
    await world.database.execute(_SENDING, order_id(claim.run, 1, 0), record.job_id)
    await world.let_lease_run_out(record.job_id)
    world.provider.unsure = AWAY

    assert (await carried(world, record.job_id)).status == "pending"
    assert (await world.call_states(), world.provider.orders) == (["sending"], [])
    world.provider.unsure = OutcomeUnknown("Nobody knows.")
    done = await carried(world, record.job_id)

    assert done.error is not None
    assert (done.error.code, world.provider.orders) == ("OUTCOME_UNKNOWN", [])
    assert [run.job_id for run in await world.runs.dead()] == [record.job_id]


async def test_a_worker_whose_lease_ran_out_writes_nothing_of_its_orders(world: World) -> None:
    """JB5, JB25: above all it sends nothing, as the intent is refused first"""
    record = await world.start()
    late = await world.claims.claim("w1", 15)
    assert late is not None
    call_id = order_id(late.run, 1, 0)
    await world.database.execute(_SENDING, call_id, record.job_id)
    await world.let_lease_run_out(record.job_id)
    assert await world.claims.claim("w2", 15) is not None
    (call,) = (await world.call_store.of_run(late.run)).values()
    part = parts_of(late.run, STUDIO)[0]
    failure = Failure("INTERNAL", "no", False, "no")

    for write in (
        world.call_store.send(late.run, Sending(call_id, part, STUDIO, "key", None)),
        world.call_store.withdraw(late.run, call, "Waiting"),
        world.call_store.accepted(late.run, call, Ticket("job")),
        world.call_store.answered(late.run, call, Answered(), None),
        world.call_store.kept(late.run, call, Answered(), [], None),
        world.call_store.failed(late.run, call, failure),
        world.claims.put_off(late.run, 1, "Waiting", uses_attempt=True),
    ):
        with pytest.raises(LeaseLost):
            await write
    assert await world.call_states() == ["sending"]


_SENDING = """
    INSERT INTO provider_calls (id, run_id, number, attempt, provider, model, credential, request_hash, state)
    VALUES ($1, $2, 0, 1, 'local', 'studio-1', 'key', '', 'sending')"""


async def test_of_several_orders_those_that_succeed_are_kept_while_another_waits(world: World) -> None:
    """JB25, JB28"""
    world.sell_one_at_a_time()
    limited = [RateLimited("Slow down.", retry_after_s=1)]

    async def second_waits(prompt: PromptSpec, report: Report) -> list[Picture]:
        if prompt.seed == 8 and limited:
            raise limited.pop()
        return await draw(prompt, report)

    world.provider.script = second_waits
    record = await world.start(n=3)

    assert (await carried(world, record.job_id)).status == "pending"
    assert await world.call_states() == ["kept", "kept"]
    world.now += 1000
    done = await carried(world, record.job_id)

    assert (done.status, len(done.images)) == ("completed", 3)
    assert sorted(order.prompt.seed or 0 for order in world.provider.orders) == [7, 8, 8, 9]


async def test_one_order_that_is_refused_costs_the_others_nothing(world: World) -> None:
    """JB34"""
    world.sell_one_at_a_time()

    async def second_refused(prompt: PromptSpec, report: Report) -> list[Picture]:
        if prompt.seed == 8:
            raise ContentPolicy("The provider refuses the word fox.")
        return await draw(prompt, report)

    world.provider.script = second_refused
    record = await world.start(n=3)

    done = await carried(world, record.job_id)

    assert (done.status, len(done.images)) == ("completed", 2)
    events = await world.events.list_events(record.job_id)
    (partial,) = [event.body for event in events if (event.body.data or {}).get("code") == "PARTIAL_RESULT"]
    assert partial.message == "2 of 3 pictures were made"
    assert partial.data is not None
    assert partial.data["reasons"] == ["The provider refuses the word fox."]


async def test_progress_of_several_orders_is_one(world: World) -> None:
    """JB18"""
    world.sell_one_at_a_time()
    seen: list[Progress] = []
    record = await world.start(n=2)
    claim = await world.claims.claim("w1", 15)
    assert claim is not None

    async def report(progress: Progress) -> None:
        seen.append(progress)

    model = world.registry.model("local", "")
    job = Job(claim.run, world.provider, model, report, None)
    for part, percent in zip(job.parts, (50, 20), strict=True):
        await job.report_of(part)(Progress(percent, "Painting"))

    assert [(progress.percent, progress.message) for progress in seen] == [
        (25, "1 of 2: Painting"),
        (35, "2 of 2: Painting"),
    ]
    assert record.job_id == claim.run.id

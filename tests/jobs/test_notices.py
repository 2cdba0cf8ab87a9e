"""Notices of failed runs, over real sockets to receivers that verify, refuse, dawdle or are private."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import structlog

from canvas.errors import Conflict, NotFound
from jobs.errors import DownloadBlocked, ProviderRefused
from jobs.guarded import GuardedClient
from jobs.notice import ATTEMPTS, OPERATOR, PAUSES_S, next_pause_s
from jobs.notices import Destination, Notices, keep_sending
from jobs.providers.port import Picture, PromptSpec, Report
from jobs.store.notices import AT_ONCE, AT_ONCE_EACH, NoticeStore
from jobs.webhooks.delivery import NotBelieved
from jobs.webhooks.standard import keys_of, verify
from tests.jobs.hostile_urls import HOSTILE_URLS
from tests.jobs.receivers import Internet, Receiver, internet, listening
from tests.jobs.test_downloads import watched
from tests.jobs.world import World

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + "b3BlcmF0b3JzIHNlY3JldCBvZiAzMiBieXRlcyEhISE="


async def opened(world: World, *, operator: Receiver | None = None, timeout_s: float = 5.0) -> Notices:
    """The operator's receiver is private; everybody else's must not be."""
    notices = Notices(
        NoticeStore(world.database),
        GuardedClient(resolve=internet, transport=Internet()),
        base_url="https://easel.example",
        operator=Destination(operator.private_url, SECRET) if operator else None,
        timeout_s=timeout_s,
    )
    await notices.begin()
    return notices


async def send(notices: Notices) -> int:
    """What is due, to its end."""
    async with asyncio.TaskGroup() as tasks:
        return await notices.send(tasks)


async def refuse(prompt: PromptSpec, report: Report) -> list[Picture]:
    raise ProviderRefused("The provider does not take this.")


async def fail(world: World, node: str = "n1") -> str:
    """The id of a run that has failed."""
    world.provider.script = refuse
    run = await world.start(node=node)
    assert await world.runner().carry("test")
    assert (await world.runs.get(run.job_id)).status == "failed"
    return run.job_id


async def let_be_due(world: World) -> None:
    await world.database.execute("UPDATE notices SET due_at = now() WHERE due_at IS NOT NULL")


async def rows(world: World) -> list[dict[str, Any]]:
    return [dict(row) for row in await world.database.fetch("SELECT * FROM notices ORDER BY webhook_id")]


async def test_a_failed_run_is_told_to_operator_and_owner(world: World) -> None:
    """NO1: each once, whatever ends well or by wish being nobody's business."""
    async with listening(Receiver()) as operator, listening(Receiver()) as owner:
        notices = await opened(world, operator=operator)
        await notices.set_webhook("ada", owner.url)
        cancelled = await world.start()
        await world.runs.cancel(cancelled.job_id)
        completed = await world.start()
        await world.runner().carry("test")
        assert (await world.runs.get(completed.job_id)).status == "completed"
        job_id = await fail(world)

        assert await send(notices) == 2
        assert await send(notices) == 0

        for receiver in (operator, owner):
            (body,) = receiver.bodies()
            assert body["data"]["jobId"] == job_id
    assert [row["delivered_at"] is not None for row in await rows(world)] == [True, True]


async def test_nobody_is_told_who_did_not_ask(world: World) -> None:
    """NO1: without an address nothing is written down; who takes it away takes along what waits."""
    notices = await opened(world)
    await fail(world)
    assert await rows(world) == []

    await notices.set_webhook("ada", "https://hook-1.test/")
    await fail(world)
    assert len(await rows(world)) == 1
    await notices.store.drop_webhook("ada")
    assert await rows(world) == []


async def test_a_worker_without_the_operators_address_takes_nothing_away(world: World) -> None:
    """NO1: neither what waits nor what is to come; it sends none of it, and each goes out by who has the address."""
    async with listening(Receiver()) as operator:
        knows = await opened(world, operator=operator)
        await fail(world)
        with structlog.testing.capture_logs() as lines:
            does_not = await opened(world)
        assert [line["event"] for line in lines] == ["notices.not_sent_from_here"]
        await fail(world)

        assert await send(does_not) == 0
        assert [row["attempts"] for row in await rows(world)] == [0, 0]
        assert await send(knows) == 2
        assert len(operator.got) == 2


async def test_an_operator_whose_address_is_gone_for_a_week_is_forgotten(world: World) -> None:
    """NO1: then nothing more is written down, until a worker has an address again."""
    async with listening(Receiver()) as operator:
        await opened(world, operator=operator)
        await fail(world)
        for hours, is_forgotten in ((7 * 24 - 1, False), (7 * 24 + 1, True)):
            await world.database.execute("UPDATE notices SET due_at = now() - $1 * interval '1 h'", hours)
            await (await opened(world)).begin()
            assert (await rows(world) == []) is is_forgotten
        await fail(world)
        assert await rows(world) == []

        notices = await opened(world, operator=operator)
        await fail(world)
        assert await send(notices) == 1


async def test_a_notice_says_what_happened_and_proves_who_says_it(world: World) -> None:
    """NO2: signed by each one's own secret; it finds the run, and holds no prompt."""
    async with listening(Receiver()) as operator, listening(Receiver()) as owner:
        notices = await opened(world, operator=operator)
        mine = await notices.set_webhook("ada", owner.url)
        job_id = await fail(world)
        await send(notices)

        assert verify(operator.got[0], keys_of(SECRET), time.time()).startswith("ntc_")
        assert verify(owner.got[0], keys_of(mine.secret), time.time()).startswith("ntc_")
        with pytest.raises(NotBelieved):
            verify(owner.got[0], keys_of(SECRET), time.time())
    (body,) = owner.bodies()
    assert body["type"] == "run.failed"
    assert body["data"] | {"startedAt": 0, "finishedAt": 0} == {
        "jobId": job_id,
        "workflowId": "wf",
        "workflowName": body["data"]["workflowName"],
        "nodeId": "n1",
        "provider": "local",
        "model": "studio-1",
        "attempt": 1,
        "startedAt": 0,
        "finishedAt": 0,
        "mayBeReplayed": False,
        "error": {
            "code": "PROVIDER_INVALID_REQUEST",
            "detail": "The provider does not take this.",
            "retryable": False,
            "charged": "no",
        },
        "url": "https://easel.example/w/wf",
    }
    assert b"a fox" not in owner.got[0].body


async def test_who_does_not_take_it_is_told_again_and_at_last_no_more(world: World) -> None:
    """NO3: under one id, after longer and longer pauses; then it is dead, until it is replayed."""
    async with listening(Receiver(500)) as owner:
        notices = await opened(world)
        await notices.set_webhook("ada", owner.url)
        await fail(world)
        for attempt in range(1, ATTEMPTS + 1):
            assert await send(notices) == 1
            (row,) = await rows(world)
            assert row["attempts"] == attempt
            assert row["reason"] == "It answered 500."
            assert row["is_dead"] is (attempt == ATTEMPTS)
            assert await send(notices) == 0
            await let_be_due(world)

        assert len({one.headers["webhook-id"] for one in owner.got}) == 1
        store = NoticeStore(world.database)
        (dead,) = await store.dead(10)
        assert (dead.state, dead.attempts, dead.next_attempt_at) == ("dead", ATTEMPTS, None)
        with pytest.raises(NotFound):
            await store.replay(dead.id, "somebody else")
        owner.statuses = [200]
        assert (await store.replay(dead.id, "ada")).state == "waiting"
        assert await send(notices) == 1
        with pytest.raises(Conflict):
            await store.replay(dead.id, "ada")
        assert [one.state for one in (await store.page("ada", None, None, 10)).items] == ["delivered"]
        assert (await store.page("ada", "dead", None, 10)).items == []


def test_pauses_grow_and_a_receiver_may_ask_for_more() -> None:
    """NO3: within an hour of it."""
    assert [next_pause_s(attempts, None) for attempts in range(1, ATTEMPTS + 1)] == [*PAUSES_S, None]
    assert next_pause_s(1, 120.0) == 120.0
    assert next_pause_s(1, 1e9) == 3600.0
    assert next_pause_s(4, 1.0) == PAUSES_S[3]


async def test_a_receiver_that_is_gone_for_good_is_believed(world: World) -> None:
    """NO3: 410 is the last attempt."""
    async with listening(Receiver(410)) as owner:
        notices = await opened(world)
        await notices.set_webhook("ada", owner.url)
        await fail(world)
        await send(notices)

    assert [row["is_dead"] for row in await rows(world)] == [True]


async def test_a_retry_after_is_kept(world: World) -> None:
    """NO3: the pause that the receiver asked for, when it is the longer one."""
    async with listening(Receiver(503, headers="Retry-After: 600\r\n")) as owner:
        notices = await opened(world)
        await notices.set_webhook("ada", owner.url)
        await fail(world)
        await send(notices)

    left = await world.database.fetchval("SELECT extract(epoch FROM due_at - now())::float FROM notices")
    assert 590 < left <= 600


async def test_no_notice_goes_to_a_private_address(world: World) -> None:
    """NO4: not by how it is written, nor by what its name has come to mean since, nor by a redirect."""
    notices = await opened(world)
    await notices.set_webhook("ada", "https://hook.example/")
    await fail(world)
    refused = 0
    for url in (*HOSTILE_URLS, "https://hook.example/"):
        with watched() as connections:
            try:
                await notices.set_webhook("ada", url)
            except DownloadBlocked:
                refused += 1
            else:  # it is the name that leads inside
                await world.database.execute("UPDATE notices SET due_at = now(), attempts = 0, reason = NULL")
                assert await send(notices) == 1
                assert (await rows(world))[0]["reason"].endswith("is not on the public internet."), url
        assert [one for one in connections if isinstance(one, tuple)] == [], url
    assert refused > 100

    async with listening(Receiver(302, headers="Location: http://127.0.0.1:1/\r\n")) as owner:
        notices = await opened(world)
        await notices.set_webhook("ada", owner.url)
        await let_be_due(world)
        await send(notices)
        assert (await rows(world))[0]["reason"] == "It answered 302."


async def test_only_the_operators_own_address_may_be_private(world: World) -> None:
    """NO4: an owner can neither name it nor have named it before."""
    async with listening(Receiver()) as operator:
        notices = await opened(world, operator=operator)
        with pytest.raises(DownloadBlocked):
            await notices.set_webhook("ada", operator.private_url)
        await notices.store.set_webhook("ada", operator.private_url, SECRET)
        await fail(world)

        assert await send(notices) == 2

        assert len(operator.got) == 1
    told = {row["webhook_id"]: row for row in await rows(world)}
    assert told[OPERATOR]["delivered_at"] is not None
    assert told["ada"]["reason"].endswith("only https on port 443 is.")


async def test_a_slow_receiver_holds_up_itself(world: World) -> None:
    """NO5: it has so many at a time and so long for each; everybody else's go on."""
    async with listening(Receiver()) as slow, listening(Receiver()) as quick:
        slow.answers.clear()
        notices = await opened(world, operator=quick, timeout_s=0.3)
        await notices.set_webhook("ada", slow.url)
        for _ in range(AT_ONCE_EACH + 2):
            await fail(world)

        assert await send(notices) == 2 * AT_ONCE_EACH

        assert len(quick.got) == AT_ONCE_EACH
        assert slow.waiting == AT_ONCE_EACH
    reasons = [row["reason"] for row in await rows(world) if row["webhook_id"] != OPERATOR and row["attempts"]]
    assert reasons == ["No answer within 0.3 s."] * AT_ONCE_EACH


async def test_while_one_has_not_answered_the_others_are_told(world: World) -> None:
    """NO5: what becomes due meanwhile, too; and the slow one is not asked more than it may be at a time."""
    async with listening(Receiver()) as slow, listening(Receiver()) as quick:
        slow.answers.clear()
        notices = await opened(world, operator=quick, timeout_s=60.0)
        await notices.set_webhook("ada", slow.url)
        for _ in range(AT_ONCE_EACH + 1):
            await fail(world)
        sending = asyncio.create_task(keep_sending(notices))
        try:
            async with asyncio.timeout(20):
                for _ in range(AT_ONCE_EACH):
                    await slow.arrived.acquire()
                for _ in range(AT_ONCE_EACH + 1):
                    await quick.arrived.acquire()
                await fail(world)
                await quick.arrived.acquire()
            assert slow.waiting == AT_ONCE_EACH
        finally:
            sending.cancel()
            await asyncio.wait([sending])


async def test_a_webhooks_first_comes_before_anothers_second(world: World) -> None:
    """NO5: however many of the other's have been due for longer."""
    async with listening(Receiver()) as operator:
        notices = await opened(world, operator=operator)
        await notices.set_webhook("ada", "https://hook-1.test/")
        for _ in range(3):
            await fail(world)
        await world.database.execute("UPDATE notices SET due_at = due_at - interval '1 h' WHERE webhook_id = 'ada'")

        due = await notices.store.take_due(60.0, with_operators=True, busy=["another"] * (AT_ONCE - 2))

        assert {notice.webhook_id for notice in due} == {"ada", OPERATOR}
        assert await notices.store.take_due(60.0, with_operators=True, busy=["another"] * AT_ONCE) == []


async def test_two_workers_send_a_notice_once(world: World) -> None:
    """NO5: and what one took with it into its death is sent by the other."""
    async with listening(Receiver()) as owner:
        one, other = await opened(world), await opened(world)
        await one.set_webhook("ada", owner.url)
        for _ in range(3):
            await fail(world)
        assert sum(await asyncio.gather(send(one), send(other))) == 3
        assert len(owner.got) == 3

        await fail(world)
        (taken,) = await NoticeStore(world.database).take_due(60.0, with_operators=True)
        assert await send(other) == 0
        await let_be_due(world)
        assert await send(other) == 1
        await NoticeStore(world.database).put_off(taken, 0.0, "it comes too late")
        assert await send(other) == 0

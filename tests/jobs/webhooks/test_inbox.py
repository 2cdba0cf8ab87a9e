"""CONTRACT §7: a report has one effect, whenever it comes, and however often."""

from __future__ import annotations

import asyncio

import pytest

from jobs.webhooks.delivery import News
from jobs.webhooks.inbox import _MATCHED, BATCH, UNKNOWN_FOR, order_id_of
from tests.jobs.webhooks.conftest import FIRST, SECOND, Desk

pytestmark = pytest.mark.anyio


def news(event_id: str = "evt_1", job_id: str | None = "job_1", word: str = "succeeded") -> News:
    return News(event_id, job_id, word)


async def test_report_about_a_known_job_wakes_who_waits_for_it_and_is_told(desk: Desk) -> None:
    await desk.call(job_id="job_1", state="accepted")

    kept = await desk.inbox.keep("replicate", news(), None)
    assert (kept.outcome, desk.woken) == ("known", [])  # the answer to the sender waits for nobody's lock
    await desk.inbox.sort(kept.number)

    assert desk.woken == [FIRST]
    assert await desk.events() == ["webhook: replicate reports: succeeded"]


async def test_same_event_again_has_no_effect(desk: Desk) -> None:
    await desk.call(job_id="job_1", state="accepted")
    await desk.inbox.keep("replicate", news(), None)
    await desk.inbox.sort()

    again = await desk.inbox.keep("replicate", news(), None)
    await desk.inbox.sort()

    assert again == ("duplicate", None)
    assert (desk.woken, await desk.rows(), len(await desk.events())) == ([FIRST], 1, 1)


async def test_of_many_at_once_one_has_an_effect(desk: Desk) -> None:
    await desk.call(job_id="job_1", state="accepted")

    kept = await asyncio.gather(*(desk.inbox.keep("replicate", news(), None) for _ in range(10)))
    await asyncio.gather(*(desk.inbox.sort() for _ in range(5)))

    assert sorted(one.outcome for one in kept) == ["duplicate"] * 9 + ["known"]
    assert (desk.woken, len(await desk.events())) == ([FIRST], 1)


async def test_same_event_id_of_another_provider_is_another_event(desk: Desk) -> None:
    await desk.inbox.keep("replicate", news(), None)

    assert (await desk.inbox.keep("generic", news(), None)).outcome == "unknown"


async def test_report_before_our_commit_is_told_when_the_job_is_known(desk: Desk) -> None:
    kept = await desk.inbox.keep("replicate", news(), None)
    assert await desk.inbox.sort() == 0

    await desk.call(job_id="job_1", state="accepted")
    assert await desk.inbox.sort() == 1

    assert (kept.outcome, desk.woken) == ("unknown", [FIRST])
    assert await desk.inbox.sort() == 0


async def test_job_that_nobody_knows_is_given_up_after_ten_minutes(desk: Desk) -> None:
    await desk.inbox.keep("replicate", news(), None)
    await desk.grow_older("10 minutes 1 second")
    await desk.call(job_id="job_1", state="accepted")

    await desk.inbox.retire()

    assert await desk.inbox.sort() == 0
    assert (await desk.inbox.keep("replicate", news(), None)).outcome == "duplicate"


async def test_events_are_forgotten_after_a_week(desk: Desk) -> None:
    await desk.inbox.keep("replicate", news(), None)
    await desk.grow_older("7 days 1 second")
    await desk.inbox.keep("replicate", news("evt_2"), None)

    await desk.inbox.retire()

    assert await desk.rows() == 1


@pytest.mark.parametrize("state", ["sending", "unknown"])
async def test_call_whose_answer_was_lost_learns_its_job(desk: Desk, state: str) -> None:
    """The recipe's step 6: the address of the report holds our own id."""
    await desk.call(state=state)

    await desk.inbox.keep("replicate", news(), FIRST)
    await desk.inbox.sort()

    assert (await desk.job_of(), desk.woken) == ("job_1", [FIRST])


@pytest.mark.parametrize("state", ["failed", "cancelled"])
async def test_call_that_has_ended_is_named_no_job(desk: Desk, state: str) -> None:
    await desk.call(state=state)

    await desk.inbox.keep("replicate", news(), FIRST)
    await desk.inbox.sort()

    assert await desk.job_of() is None


async def test_order_in_the_address_moves_no_call_to_another_job(desk: Desk) -> None:
    await desk.call(job_id="job_9", state="accepted")

    assert (await desk.inbox.keep("replicate", news(), FIRST)).outcome == "unknown"
    await desk.inbox.sort()

    assert (await desk.job_of(), desk.woken) == ("job_9", [])


async def test_job_of_another_call_is_not_given_twice(desk: Desk) -> None:
    await desk.call(job_id="job_1", state="accepted")
    await desk.call(SECOND, state="sending")

    await desk.inbox.keep("replicate", news(), SECOND)
    while await desk.inbox.sort():
        pass

    assert (await desk.job_of(), await desk.job_of(SECOND)) == ("job_1", None)


async def test_report_of_one_provider_tells_nothing_of_anothers_job(desk: Desk) -> None:
    await desk.call(job_id="job_1", state="accepted")

    assert (await desk.inbox.keep("generic", news(), FIRST)).outcome == "unknown"
    assert await desk.inbox.sort() == 0


async def test_state_never_goes_backwards(desk: Desk) -> None:
    """Reports come in any order; the late ones wake, and are not told."""
    await desk.call(job_id="job_1", state="accepted")

    for number, word in enumerate(["processing", "starting", "processing", "succeeded", "processing", "failed"]):
        await desk.inbox.keep("replicate", news(f"evt_{number}", word=word), None)
        await desk.inbox.sort()

    assert await desk.events() == ["webhook: replicate reports: processing", "webhook: replicate reports: succeeded"]
    assert desk.woken == [FIRST] * 6


async def test_ended_run_gets_no_event_any_more(desk: Desk) -> None:
    """JB20: a run's stream ends with its last status."""
    await desk.ends(await desk.call(job_id="job_1", state="kept"))

    assert (await desk.inbox.keep("replicate", news(), None)).outcome == "known"
    await desk.inbox.sort()

    assert await desk.events() == []


async def test_report_without_a_job_is_known_by_its_order(desk: Desk) -> None:
    await desk.call(provider="generic", job_id="job_1", state="accepted")

    kept = await desk.inbox.keep("generic", news(job_id=None), FIRST)
    await desk.inbox.sort()

    assert (kept.outcome, desk.woken, await desk.job_of()) == ("known", [FIRST], "job_1")


@pytest.mark.parametrize("text", [None, "", "1" * 31, "1" * 33, "g" * 32, "1" * 31 + "\n", "٣" * 32])
def test_order_that_is_none_is_nobodys(text: str | None) -> None:
    assert order_id_of(text) is None


async def test_reports_are_matched_by_their_indexes(desk: Desk) -> None:
    """However many calls there are: the answer to a sender waits for this query."""
    await desk.call()
    await desk.database.execute("""
        INSERT INTO provider_calls
          (id, run_id, number, attempt, provider, model, credential, request_hash, state, job_id)
        SELECT md5(n::text), 'run_1111', 0, n + 1, 'replicate', 'm', 'c', '', 'kept', 'job' || n
        FROM generate_series(1, 20000) n;
        INSERT INTO webhook_inbox (provider, event_id, job_id, word, rank, sorted_at)
        SELECT 'replicate', n::text, 'job' || n, 'succeeded', 2, now() FROM generate_series(1, 5000) n;
        INSERT INTO webhook_inbox (provider, event_id, job_id, word, rank) VALUES ('replicate', 'x', 'job7', 'ok', 2);
        ANALYZE provider_calls; ANALYZE webhook_inbox; ANALYZE runs;
    """)
    async with desk.database.acquire() as connection:
        rows = await connection.fetch(f"EXPLAIN {_MATCHED}", None, UNKNOWN_FOR, BATCH)

    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan on provider_calls" not in plan, plan
    assert "Seq Scan on webhook_inbox" not in plan, plan

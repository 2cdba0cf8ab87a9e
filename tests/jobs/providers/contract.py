"""What every adapter is held to (`jobs/providers/port.py`): subclass AtOnceContract or TicketContract with a `stage`.

    class TestContract(AtOnceContract):
        @pytest.fixture
        async def stage(self, http: httpx.AsyncClient) -> AsyncIterator[Stage]: ...

`stage.py` has the Stage: one adapter before its simulated vendor, with that vendor's way of saying things.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
import pytest

from jobs.errors import (
    CapabilityUnsupported,
    ContentPolicy,
    JobError,
    NoImageReturned,
    OutcomeUnknown,
    ProviderAuth,
    ProviderFailed,
    ProviderPermission,
    ProviderQuota,
    ProviderRefused,
    ProviderUnavailable,
    RateLimited,
)
from jobs.providers.port import PromptSpec, Source, Ticket
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import (
    Fault,
    Told,
    Turn,
    changed,
    cut_after,
    cut_before,
    cut_in_body,
    instead,
    never,
)
from tests.jobs.providers.stage import (
    KEY,
    Stage,
    assert_came,
    assert_tells_nothing,
    assert_whole,
    carried,
    failure,
    stored,
    twisted,
)


class ProviderContract:
    @pytest.fixture(autouse=True)
    async def no_key_in_any_log(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
        with caplog.at_level(logging.DEBUG):
            yield
        assert KEY not in caplog.text

    async def test_one_picture(self, stage: Stage) -> None:
        answer = await carried(stage.make(), stage.order())

        assert len(answer.pictures) == 1
        assert_came(answer.pictures[0])
        assert len(stage.server.accepted) == 1
        assert all(note.endswith((".", "!", "…")) or ":" in note for note in answer.notes)

    async def test_as_many_pictures_as_one_call_gives(self, stage: Stage) -> None:
        answer = await carried(stage.make(), stage.order(n=stage.most))

        assert len(answer.pictures) == stage.most
        assert len({picture.content or picture.url for picture in answer.pictures}) == stage.most
        assert len(stage.server.accepted) == 1

    async def test_fewer_pictures_than_asked_are_kept_and_told(self, stage: Stage) -> None:
        if stage.fewer is None:
            assert stage.most == 1, "a vendor that draws several can draw fewer"
            return
        stage.then(stage.fewer)

        answer = await carried(stage.make(), stage.order(n=stage.most))

        assert len(answer.pictures) == stage.most - 1
        assert answer.notes

    async def test_success_without_a_picture_is_an_error(self, stage: Stage) -> None:
        if stage.no_picture is None:
            return
        stage.then(stage.no_picture)

        error = await failure(stage.make(), stage.order())

        assert isinstance(error, NoImageReturned)
        assert error.charged != "no"

    async def test_refused_prompt_is_the_content_policy_and_free(self, stage: Stage) -> None:
        if stage.refused_prompt is None:
            return
        stage.then(stage.refused_prompt)

        error = await failure(stage.make(), stage.order())

        assert isinstance(error, ContentPolicy)
        assert (error.code, error.charged) == ("CONTENT_POLICY_INPUT", "no")

    async def test_refused_picture_is_the_content_policy_and_may_have_been_charged(self, stage: Stage) -> None:
        if stage.refused_picture is None:
            return
        stage.then(stage.refused_picture)

        error = await failure(stage.make(), stage.order())

        assert isinstance(error, ContentPolicy)
        assert error.code == "CONTENT_POLICY_OUTPUT"
        assert error.charged != "no"

    @pytest.mark.parametrize(
        ("status", "expected", "charged"),
        [
            (401, ProviderAuth, "no"),
            (402, ProviderQuota, "no"),
            (403, ProviderPermission, "no"),
            (404, ProviderRefused, "no"),
            (422, ProviderRefused, "no"),
            (429, RateLimited, "no"),
            (500, ProviderUnavailable, "no"),
            (503, ProviderUnavailable, "no"),
            (502, OutcomeUnknown, "unknown"),
            (504, OutcomeUnknown, "unknown"),
        ],
    )
    async def test_refusal_is_told_as_what_it_is(
        self, stage: Stage, status: int, expected: type[JobError], charged: str
    ) -> None:
        stage.then(instead(stage.error(status, f"we do not like {KEY}")))

        error = await failure(stage.make(), stage.order())

        assert type(error) is stage.statuses.get(status, expected)
        assert error.charged == charged
        assert error.said is not None
        assert error.said.http_status == status
        assert error.said.message is None or "[key]" in error.said.message
        assert len(stage.server.asked) == 1, "whether it is sent again is not the adapter's question"

    async def test_retry_after_is_passed_on(self, stage: Stage) -> None:
        told = stage.error(429, "slow down")
        stage.then(instead(msgspec.structs.replace(told, headers={**told.headers, "Retry-After": "7"})))

        error = await failure(stage.make(), stage.order())

        assert isinstance(error, RateLimited)
        assert error.retry_after_s == 7

    async def test_refusal_that_is_no_json_is_understood_by_its_status(self, stage: Stage) -> None:
        stage.then(instead(Told(b"<html>\xff busy", 503, content_type="text/html")))

        assert isinstance(await failure(stage.make(), stage.order()), ProviderUnavailable)

    async def test_nobody_at_the_address(self, stage: Stage) -> None:
        error = await failure(stage.make_unreachable(), stage.order())

        assert isinstance(error, ProviderUnavailable)
        assert (error.charged, error.retryable) == ("no", True)

    @pytest.mark.parametrize("cut", [cut_before, cut_after, cut_in_body])
    async def test_order_that_is_cut_off_may_have_been_carried_out(self, stage: Stage, cut: Fault) -> None:
        stage.then(cut)

        with pytest.raises(OutcomeUnknown) as caught:
            await stage.make().submit(stage.order())

        assert_tells_nothing(caught.value)
        assert (caught.value.charged, caught.value.retryable) == ("unknown", False)
        assert len(stage.server.asked) == 1

    async def test_no_answer_in_time(self, stage: Stage) -> None:
        stage.then(never)

        with pytest.raises(OutcomeUnknown):
            await stage.make_impatient().submit(stage.order())

        await stage.server.until_quiet()

    async def test_cancelled_it_hangs_up(self, stage: Stage) -> None:
        stage.then(never)
        before = asyncio.all_tasks()
        sending = asyncio.create_task(stage.make().submit(stage.order()))
        await stage.server.until_asked()

        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

        await stage.server.until_quiet()
        assert asyncio.all_tasks() <= before

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [("text/html", b"<html>Sign in"), ("application/json", b"{"), ("application/json", b"[]"), ("", b"")],
    )
    async def test_success_that_makes_no_sense_is_no_success(
        self, stage: Stage, content_type: str, body: bytes
    ) -> None:
        stage.then(changed(lambda _: Told(body, content_type=content_type)))

        error = await failure(stage.make(), stage.order())

        assert isinstance(error, NoImageReturned | OutcomeUnknown | ProviderFailed)
        assert error.charged != "no"

    async def test_answer_with_anything_in_any_place(self, stage: Stage) -> None:
        """A vendor's next version, a look-alike, a fault: only what is foreseen may come out."""
        good: list[Told] = []

        async def overheard(turn: Turn) -> None:
            good.append(await turn.answer())
            await turn.give(good[0])

        stage.then(overheard)
        await stage.make().submit(stage.order(n=stage.most))
        refused = stage.error(400, "No.")
        provider, order = stage.make(), stage.order(n=stage.most)
        for told in (good[0], refused):
            if told.content_type != "application/json":
                continue
            for other in twisted(json.loads(told.body)):
                stage.then(instead(msgspec.structs.replace(told, body=json.dumps(other).encode())))
                with suppress(JobError):
                    assert_whole(await provider.submit(order))

    async def test_progress_never_goes_back(self, stage: Stage) -> None:
        await carried(stage.make(), stage.order())

        percents = [progress.percent for progress in stage.reports]
        assert percents == sorted(percents)
        assert all(0 <= percent <= 100 for percent in percents)
        assert all(progress.message for progress in stage.reports)

    async def test_plan_is_told_before_anything_is_sent(self, stage: Stage) -> None:
        provider = stage.make()
        prompt = PromptSpec(
            "a fox", ("ink",), "1000x1001", quality="unheard-of", seed=2**40 + 1, negative_prompt="dogs"
        )

        plans = [(provider.plan(model, prompt), provider.plan(model, prompt)) for model in provider.models]

        assert all(first == second for first, second in plans)
        assert all(sentence.endswith(".") for plan, _ in plans for sentence in plan.adjustments)
        assert all(plan.estimate_usd is None or plan.estimate_usd > 0 for plan, _ in plans if provider.is_paid)
        assert not stage.server.asked

    async def test_estimate_is_for_all_pictures(self, stage: Stage) -> None:
        provider, n = stage.make(), stage.model.max_images

        one, all_of_them = (provider.plan(stage.model, PromptSpec("a fox", n=count)) for count in (1, n))

        if one.estimate_usd is None:
            assert all_of_them.estimate_usd is None
        else:
            assert all_of_them.estimate_usd == pytest.approx(n * one.estimate_usd)

    async def test_what_cannot_be_mended_is_refused(self, stage: Stage) -> None:
        provider = stage.make()
        too_many = PromptSpec("a fox", n=stage.model.max_images + 1)
        too_long = PromptSpec("a" * (stage.model.max_prompt_characters + 1))

        for prompt in (too_many, PromptSpec("a fox", n=0), too_long):
            with pytest.raises(CapabilityUnsupported):
                provider.plan(stage.model, prompt)
        for model in provider.models:
            if not model.previous_image:
                with pytest.raises(CapabilityUnsupported):
                    provider.plan(model, PromptSpec("a fox", previous_image="/objects/1"))

    async def test_start_from_a_picture(self, stage: Stage) -> None:
        if not stage.model.previous_image:
            return
        source = Source(picture(3), "image/png", 64, 64)

        answer = await carried(stage.make(), stage.order(source=source))

        assert_came(answer.pictures[0])

    async def test_registry_rows_can_be_shown(self, stage: Stage) -> None:
        """CONTRACT §4: `GET /api/providers`. Prices have a day and a source; what is gone names what comes after it."""
        provider = stage.make()
        ids = [model.id for model in provider.models]

        assert stage.model in provider.models
        assert len(set(ids)) == len(ids)
        for model in provider.models:
            assert (model.as_of and model.source) or not provider.is_paid
            assert model.price_usd is None or model.price_usd >= 0
            assert model.retired_at is None or model.replacement in ids
        assert provider.models[0].retired_at is None

    async def test_key_is_not_in_the_credentials_name(self, stage: Stage) -> None:
        provider = stage.make()

        assert provider.credential == stage.make().credential
        assert provider.credential not in KEY
        assert KEY not in repr(provider)
        assert provider.missing_setting is None


class AtOnceContract(ProviderContract):
    """For those that answer an order with its pictures."""

    async def test_after_a_crash_nobody_can_tell(self, stage: Stage) -> None:
        with pytest.raises(OutcomeUnknown):
            await stage.make().find(stage.order())

        assert not stage.server.asked


class TicketContract(ProviderContract):
    """For those that accept an order and carry it in their own time."""

    async def test_ticket_brings_the_pictures_after_a_restart(self, stage: Stage) -> None:
        ticket = await stage.make().submit(stage.order())
        assert isinstance(ticket, Ticket)
        assert KEY not in repr(ticket)

        answer = await stage.make().follow(stored(ticket), stage.order())

        assert_came(answer.pictures[0])
        assert len(stage.server.accepted) == 1

    async def test_ticket_may_be_followed_again(self, stage: Stage) -> None:
        """For fresh addresses of the same pictures."""
        provider = stage.make()
        ticket = await provider.submit(stage.order())
        assert isinstance(ticket, Ticket)
        first = await provider.follow(ticket, stage.order())

        again = await provider.follow(ticket, stage.order())

        assert len(again.pictures) == len(first.pictures)
        assert len(stage.server.accepted) == 1

    async def test_find_never_orders_again(self, stage: Stage) -> None:
        stage.then(cut_after)
        provider, order = stage.make(), stage.order()
        with pytest.raises(OutcomeUnknown):
            await provider.submit(order)

        try:
            found = await stage.make().find(order)
        except OutcomeUnknown as error:
            assert_tells_nothing(error)
        else:
            assert found is not None, "it was accepted"
            assert_came((await provider.follow(stored(found), order)).pictures[0])
        assert len(stage.server.accepted) == 1

    async def test_cancel_may_come_too_late(self, stage: Stage) -> None:
        provider, order = stage.make(), stage.order()
        ticket = await provider.submit(order)
        assert isinstance(ticket, Ticket)
        await provider.follow(ticket, order)

        await provider.cancel(ticket)
        await provider.cancel(ticket)

    async def test_job_that_nobody_knows_is_lost(self, stage: Stage) -> None:
        assert stage.lost is not None

        with pytest.raises(JobError) as caught:
            await stage.make().follow(stage.lost, stage.order())

        assert_tells_nothing(caught.value)
        assert isinstance(caught.value, ProviderFailed)
        assert caught.value.code == "PROVIDER_JOB_LOST"

    async def test_cancelled_while_following_it_hangs_up(self, stage: Stage) -> None:
        provider, order = stage.make(), stage.order()
        ticket = await provider.submit(order)
        assert isinstance(ticket, Ticket)
        asked = len(stage.server.asked)
        stage.server.then(never)
        following = asyncio.create_task(provider.follow(ticket, order))
        await stage.server.until_asked(asked + 1)

        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following

        await stage.server.until_quiet()

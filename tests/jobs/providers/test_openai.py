"""OpenAI: the contract whole and streamed, and what only OpenAI and its look-alikes say (image-jobs.md §1.1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
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
    RateLimited,
)
from jobs.providers.openai import OPENAI_URL, OpenAIProvider
from jobs.providers.openai_models import OFFERS, free_size
from jobs.providers.port import PromptSpec, Source
from jobs.providers.wishes import wanted_shape
from tests.jobs.providers.contract import AtOnceContract
from tests.jobs.providers.sim.openai import USAGE, OpenAI, draft_then, error, whole
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import Told, changed, cut_in_body, instead, told
from tests.jobs.providers.stage import KEY, Stage, carried, failure, http, twisted

__all__ = ["http"]
pytestmark = pytest.mark.anyio

MODELS = {offer.model.id: offer.model for offer in OFFERS}
BLOCKED = "Your request was rejected by the safety system. safety_violations=[violence, self-harm]."


def staged(vendor: OpenAI, http: httpx.AsyncClient) -> Stage:
    return Stage(
        make=lambda: OpenAIProvider(KEY, vendor.base_url, http),
        make_impatient=lambda: OpenAIProvider(KEY, vendor.base_url, http, timeout_s=0.5),
        make_unreachable=lambda: OpenAIProvider(KEY, "http://127.0.0.1:1", http),
        server=vendor.server,
        model=MODELS["gpt-image-2"],
        error=error,
        refused_prompt=instead(error(400, BLOCKED, code="moderation_blocked", kind="image_generation_user_error")),
        no_picture=changed(lambda _: whole({}, pictures=0)),
        fewer=changed(lambda _: whole({}, pictures=9)),
        most=10,
    )


@pytest.fixture
async def vendor() -> AsyncIterator[OpenAI]:
    vendor = OpenAI(KEY)
    async with vendor.server:
        yield vendor


@pytest.fixture
async def stage(vendor: OpenAI, http: httpx.AsyncClient) -> Stage:
    return staged(vendor, http)


class TestContract(AtOnceContract):
    """One picture is streamed."""


class TestPlainContract(AtOnceContract):
    """A look-alike that takes `stream` and answers whole."""

    @pytest.fixture
    async def stage(self, vendor: OpenAI, http: httpx.AsyncClient) -> Stage:
        vendor.streams = False
        return staged(vendor, http)


class TestDallEContract(AtOnceContract):
    @pytest.fixture
    async def stage(self, vendor: OpenAI, http: httpx.AsyncClient) -> Stage:
        stage = staged(vendor, http)
        stage.model = next(model for model in stage.make().models if model.id == "dall-e-2")
        return stage


async def test_drafts_are_shown_while_the_picture_is_drawn(stage: Stage) -> None:
    going_on = asyncio.Event()
    shown = asyncio.Event()
    stage.then(draft_then(going_on))
    order = stage.order()

    async def report(progress: Any) -> None:
        stage.reports.append(progress)
        shown.set()

    sending = asyncio.create_task(carried(stage.make(), msgspec.structs.replace(order, report=report)))
    await shown.wait()
    [first] = stage.reports
    assert (first.preview, first.percent, first.step, first.steps) == (picture(0), 33, 1, 2)
    assert not sending.done()
    going_on.set()
    answer = await sending

    assert [progress.percent for progress in stage.reports] == [33, 67]
    assert answer.pictures[0].content == picture(9)


async def test_cost_is_what_the_usage_says(stage: Stage) -> None:
    streamed = await carried(stage.make(), stage.order())
    plain = await carried(stage.make(), stage.order(n=2))

    expected = pytest.approx((14 * 5 + 30 * 8 + 1056 * 30) / 1_000_000)
    assert streamed.cost_usd == expected
    assert plain.cost_usd == expected
    assert plain.request_id == "req_1"


@pytest.mark.parametrize("usage", [None, {}, {"output_tokens": 7}, {"output_tokens": "7", "input_tokens_details": {}}])
async def test_cost_without_usage_is_not_known(stage: Stage, usage: object) -> None:
    """Never 0 (BerriAI/litellm#26863)."""
    body = json.loads(whole({"n": 2}).body) | {"usage": usage}
    stage.then(changed(lambda _: told(body)))

    assert (await carried(stage.make(), stage.order(n=2))).cost_usd is None


async def test_stream_that_ends_without_the_picture_may_have_been_charged(stage: Stage) -> None:
    stage.then(changed(lambda answer: msgspec.structs.replace(answer, body=answer.body.rpartition(b"event:")[0])))

    refused = await failure(stage.make(), stage.order())

    assert isinstance(refused, OutcomeUnknown)
    assert len(stage.reports) == 2


async def test_stream_that_is_cut_after_the_picture_is_whole(stage: Stage) -> None:
    stage.then(changed(lambda answer: msgspec.structs.replace(answer, body=answer.body + b"data: [DONE]\n\n" * 900)))

    assert (await carried(stage.make(), stage.order())).pictures[0].content == picture(9)


async def test_stream_that_is_cut_between_drafts(stage: Stage) -> None:
    stage.then(cut_in_body)

    assert isinstance(await failure(stage.make(), stage.order()), OutcomeUnknown)


@pytest.mark.parametrize(
    ("code", "expected"), [("moderation_blocked", ContentPolicy), ("server_error", ProviderFailed)]
)
async def test_error_in_the_middle_of_a_stream(stage: Stage, code: str, expected: type[JobError]) -> None:
    event = b'event: error\ndata: {"type":"error","error":{"code":"%s","message":"No."}}\n\n' % code.encode()
    stage.then(changed(lambda _: Told(event, content_type="text/event-stream")))

    refused = await failure(stage.make(), stage.order())

    assert type(refused) is expected
    assert refused.charged == "unknown"


async def test_stream_with_anything_in_any_place(stage: Stage) -> None:
    picture_told = {"type": "image_generation.completed", "b64_json": "iVBORw0K", "usage": USAGE}
    draft_told = {"type": "image_generation.partial_image", "b64_json": "iVBORw0K", "partial_image_index": 0}
    provider, order = stage.make(), stage.order()
    for good in (picture_told, draft_told):
        for other in twisted(good):
            body = f"data: {json.dumps(other)}\n\n".encode()
            stage.then(instead(Told(body, content_type="text/event-stream")))
            with suppress(JobError):
                await provider.submit(order)


async def test_edit_sends_the_source_byte_by_byte(stage: Stage) -> None:
    source = Source(picture(3, "WEBP", 200), "image/webp", 200, 200)

    answer = await carried(stage.make(), stage.order(source=source, size="1536x1024", quality="high"))

    [part] = [part for part in stage.server.asked[0].parts() if part.filename]
    assert (part.name, part.content, part.content_type) == ("image[]", source.content, "image/webp")
    assert stage.server.asked[0].fields()["size"] == "1536x1024"
    assert len(stage.reports) == 2
    assert answer.pictures[0].content == picture(9)


async def test_source_of_another_kind_is_refused_before_it_is_sent(stage: Stage) -> None:
    with pytest.raises(CapabilityUnsupported, match="JPEG, PNG, WEBP, not from GIF"):
        await stage.make().submit(stage.order(source=Source(b"GIF89a", "image/gif", 1, 1)))

    assert not stage.server.asked


@pytest.mark.parametrize(
    ("status", "code", "kind", "message", "expected"),
    [
        (400, "content_policy_violation", "invalid_request_error", BLOCKED, ContentPolicy),
        (400, "billing_hard_limit_reached", "invalid_request_error", "Billing hard limit.", ProviderQuota),
        (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota.", ProviderQuota),
        (429, None, "insufficient_quota", "You exceeded your current quota.", ProviderQuota),
        (429, "rate_limit_exceeded", "requests", "Rate limit exceeded for images per minute.", RateLimited),
        (401, "invalid_api_key", "invalid_request_error", f"Incorrect API key provided: {KEY}", ProviderAuth),
        (403, None, "invalid_request_error", "Your organization must be verified.", ProviderPermission),
        (404, "model_not_found", "invalid_request_error", "The model does not exist.", ProviderRefused),
    ],
)
async def test_errors_by_code(
    stage: Stage, status: int, code: str | None, kind: str, message: str, expected: type[JobError]
) -> None:
    stage.then(instead(error(status, message, code=code, kind=kind)))

    refused = await failure(stage.make(), stage.order())

    assert type(refused) is expected
    assert refused.said is not None
    assert refused.said.request_id == "req_1"


async def test_category_of_the_policy_is_read_out_of_the_sentence(stage: Stage) -> None:
    stage.then(instead(error(400, BLOCKED, code="moderation_blocked", kind="image_generation_user_error")))

    refused = await failure(stage.make(), stage.order())

    assert refused.facts["category"] == "violence, self-harm"


@pytest.mark.parametrize(
    "body", [{"detail": "no such model"}, {"error": "no such model"}, {"error": {"message": "no such model"}}]
)
async def test_look_alikes_errors_are_understood(stage: Stage, body: object) -> None:
    stage.then(instead(told(body, 400)))

    refused = await failure(stage.make(), stage.order())

    assert refused.detail == "OpenAI does not take this: no such model."


async def test_look_alike_that_gives_addresses(stage: Stage) -> None:
    items = [{"url": "http://127.0.0.1:9/1.png", "revised_prompt": "a fox!"}, {"url": "data:image/png;base64,iVBORw0K"}]
    stage.then(changed(lambda _: told({"created": 1, "data": items})))

    answer = await carried(stage.make(), stage.order(n=2))

    assert [drawn.url for drawn in answer.pictures] == ["http://127.0.0.1:9/1.png", None]
    assert answer.pictures[1].content == b"\x89PNG\r\n"
    assert answer.notes == ("OpenAI drew another prompt: a fox!",)
    assert "127.0.0.1" in stage.make().result_hosts


async def test_look_alike_that_gives_the_picture_itself(stage: Stage) -> None:
    stage.then(changed(lambda _: Told(picture(1), content_type="image/png")))

    assert (await carried(stage.make(), stage.order())).pictures[0].content == picture(1)


async def test_broken_base64_is_no_picture(stage: Stage) -> None:
    stage.then(
        changed(
            lambda _: told(
                {"created": 1, "data": [{"b64_json": "!!"}, 7, {}, {"b64_json": "é"}, {"url": "data:image/png,"}]}
            )
        )
    )

    assert isinstance(await failure(stage.make(), stage.order()), NoImageReturned)


async def test_dall_e_is_gone_at_openai_and_lives_on_elsewhere(stage: Stage, http: httpx.AsyncClient) -> None:
    at_openai = {model.id: model for model in OpenAIProvider(KEY, OPENAI_URL, http).models}
    elsewhere = {model.id: model for model in stage.make().models}

    assert (at_openai["dall-e-3"].retired_at, at_openai["dall-e-3"].replacement) == ("2026-05-12", "gpt-image-2")
    assert elsewhere["dall-e-3"].retired_at is None


@pytest.mark.parametrize(
    ("model", "wishes", "asked"),
    [
        ("gpt-image-2", {}, {"quality": "medium"}),
        ("gpt-image-2", {"quality": "hd"}, {"quality": "high"}),
        ("gpt-image-2", {"size": "1920x1080"}, {"size": "1920x1088", "quality": "medium"}),
        ("gpt-image-2.5-sunburst", {"quality": "max"}, {"quality": "max"}),
        ("gpt-image-1.5", {"aspect_ratio": "16:9"}, {"size": "1536x1024", "quality": "medium"}),
        ("gpt-image-1.5", {"size": "auto"}, {"quality": "medium"}),
        ("dall-e-3", {"quality": "high"}, {"quality": "hd", "response_format": "b64_json"}),
        ("dall-e-2", {"size": "300x300"}, {"size": "256x256", "response_format": "b64_json"}),
    ],
)
async def test_wishes_in_openais_words(
    stage: Stage, model: str, wishes: dict[str, Any], asked: dict[str, object]
) -> None:
    stage.model = next(row for row in stage.make().models if row.id == model)

    await carried(stage.make(), stage.order(**wishes))

    sent = stage.server.asked[0].json()
    usual = {"model", "prompt", "n", "stream", "partial_images"}
    assert {name: value for name, value in sent.items() if name not in usual} == asked


@pytest.mark.parametrize(
    ("model", "size", "found"),
    [
        ("gpt-image-2", "1024x1024", "1024x1024"),
        ("gpt-image-2", "1000x1000", "992x992"),
        ("gpt-image-2", "64x64", "816x816"),
        ("gpt-image-2", "9999x9999", "2880x2880"),
        ("gpt-image-2", "3840x2160", "3840x2160"),
        ("gpt-image-2", "9000x1000", "3840x1280"),
        ("gpt-image-1.5", "1000x990", "1024x1024"),
        ("dall-e-2", "500x500", "512x512"),
    ],
)
async def test_nearest_size_is_used_and_said(stage: Stage, model: str, size: str, found: str) -> None:
    plan = stage.make().plan(MODELS[model], PromptSpec("a fox", size=size))

    assert plan.adjustments == (() if size == found else (f"{size} is not offered; {found} is used.",))


@pytest.mark.parametrize("width", [1, 16, 500, 1111, 2879, 3840, 20000])
@pytest.mark.parametrize("height", [1, 16, 500, 1111, 2879, 3840, 20000])
async def test_free_size_keeps_the_models_limits(width: int, height: int) -> None:
    """developers.openai.com, image generation guide: gpt-image-2."""
    shape = wanted_shape(PromptSpec("a fox", size=f"{width}x{height}"))
    assert shape is not None

    across, down = map(int, free_size(shape, []).split("x"))

    assert across % 16 == down % 16 == 0
    assert max(across, down) <= 3840
    assert max(across, down) <= 3 * min(across, down)
    assert 655_360 <= across * down <= 8_294_400


@pytest.mark.parametrize(
    ("model", "wishes", "estimate_usd"),
    [
        ("gpt-image-2", {}, 0.053),
        ("gpt-image-2", {"quality": "high", "size": "1024x1536"}, 0.165),
        ("gpt-image-2", {"size": "2048x2048"}, 4 * 0.053),
        ("gpt-image-2", {"quality": "auto"}, None),
        ("gpt-image-2.6-flare", {}, None),
        ("gpt-image-1-mini", {"n": 3, "quality": "low"}, 0.015),
    ],
)
async def test_estimate(stage: Stage, model: str, wishes: dict[str, Any], estimate_usd: float | None) -> None:
    plan = stage.make().plan(MODELS[model], PromptSpec("a fox", **wishes))

    assert plan.estimate_usd == (None if estimate_usd is None else pytest.approx(estimate_usd))

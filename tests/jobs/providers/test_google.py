"""Google: the contract for Gemini and for Imagen, and what only Google says (image-jobs.md §1.2)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import httpx
import pytest

from jobs.errors import (
    CapabilityUnsupported,
    ContentPolicy,
    JobError,
    NoImageReturned,
    OutcomeUnknown,
    ProviderAuth,
    ProviderPermission,
    ProviderQuota,
    RateLimited,
)
from jobs.providers.google import GOOGLE_URL, GoogleProvider
from jobs.providers.google_models import MODELS
from jobs.providers.port import PromptSpec, Source
from tests.jobs.providers.contract import AtOnceContract
from tests.jobs.providers.sim.google import Google, answered, error, generated, predicted
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import changed, instead
from tests.jobs.providers.stage import KEY, Stage, carried, failure, http

__all__ = ["http"]
pytestmark = pytest.mark.anyio

FLASH, PRO, LITE, IMAGEN = MODELS[:4]


@pytest.fixture
async def stage(http: httpx.AsyncClient) -> AsyncIterator[Stage]:
    vendor = Google(KEY)
    async with vendor.server:
        yield Stage(
            make=lambda: GoogleProvider(KEY, vendor.base_url, http),
            make_impatient=lambda: GoogleProvider(KEY, vendor.base_url, http, timeout_s=0.5),
            make_unreachable=lambda: GoogleProvider(KEY, "http://127.0.0.1:1", http),
            server=vendor.server,
            model=FLASH,
            error=error,
            refused_prompt=changed(lambda _: answered({"promptFeedback": {"blockReason": "SAFETY"}})),
            refused_picture=changed(lambda _: generated("m", content={}, finishReason="IMAGE_SAFETY")),
            no_picture=changed(lambda _: generated("m", content={"parts": [{"text": "I cannot."}]})),
        )


@pytest.fixture
async def imagen(http: httpx.AsyncClient) -> AsyncIterator[Stage]:
    vendor = Google(KEY)
    async with vendor.server:
        provider = GoogleProvider(KEY, vendor.base_url, http)
        yield Stage(
            make=lambda: GoogleProvider(KEY, vendor.base_url, http),
            make_impatient=lambda: GoogleProvider(KEY, vendor.base_url, http, timeout_s=0.5),
            make_unreachable=lambda: GoogleProvider(KEY, "http://127.0.0.1:1", http),
            server=vendor.server,
            model=next(model for model in provider.models if model.id == IMAGEN.id),
            error=error,
            refused_prompt=instead(error(400, "The prompt violates Google's Responsible AI practices.")),
            refused_picture=changed(lambda _: predicted(0, held_back=1)),
            no_picture=changed(lambda _: predicted(0)),
            fewer=changed(lambda _: predicted(3, held_back=1)),
            most=4,
        )


class TestContract(AtOnceContract):
    pass


class TestImagenContract(AtOnceContract):
    @pytest.fixture
    def stage(self, imagen: Stage) -> Stage:
        return imagen


async def test_last_picture_counts_and_drafts_do_not(stage: Stage) -> None:
    parts = [
        {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(picture(number)).decode()}, "thought": draft}
        for number, draft in ((1, True), (2, False), (3, False), (4, True))
    ]
    stage.then(changed(lambda _: generated("m", content={"role": "model", "parts": parts})))

    answer = await carried(stage.make(), stage.order())

    assert [drawn.content for drawn in answer.pictures] == [picture(3)]


async def test_cost_is_what_the_usage_says(stage: Stage) -> None:
    answer = await carried(stage.make(), stage.order())

    assert answer.cost_usd == pytest.approx((6 * 0.5 + 1120 * 60) / 1_000_000)
    assert answer.request_id == "r1"


async def test_cost_without_usage_is_not_known(stage: Stage) -> None:
    told = generated("m").body.replace(b'"candidatesTokensDetails"', b'"unheardOf"')
    stage.then(changed(lambda answer: type(answer)(told)))

    assert (await carried(stage.make(), stage.order())).cost_usd is None


async def test_shape_resolution_and_seed_are_asked_for(stage: Stage) -> None:
    order = stage.order(size="5504x3072", seed=2**31 + 6)

    await carried(stage.make(), order)

    config = stage.server.asked[0].json()["generationConfig"]
    assert config["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "4K"}
    assert config["seed"] == 6
    assert "5504x3072 is drawn at 4K." in stage.make().plan(FLASH, order.prompt).adjustments


async def test_quality_is_the_resolution(stage: Stage) -> None:
    await carried(stage.make(), stage.order(quality="512"))

    assert stage.server.asked[0].json()["generationConfig"]["imageConfig"] == {"imageSize": "512"}
    assert stage.make().plan(FLASH, PromptSpec("a fox", quality="4K")).estimate_usd == 0.151


async def test_source_goes_inline(stage: Stage) -> None:
    source = Source(picture(3, "WEBP"), "image/webp", 64, 64)

    await carried(stage.make(), stage.order(source=source))

    [_, part] = stage.server.asked[0].json()["contents"][0]["parts"]
    assert part["inlineData"] == {"mimeType": "image/webp", "data": base64.b64encode(source.content).decode()}


async def test_source_of_another_kind_is_refused_before_it_is_sent(stage: Stage) -> None:
    with pytest.raises(CapabilityUnsupported, match="JPEG, PNG, WEBP, not from GIF"):
        await stage.make().submit(stage.order(source=Source(b"GIF89a", "image/gif", 1, 1)))

    assert not stage.server.asked


async def test_what_is_to_be_avoided_is_said_in_the_prompt(stage: Stage) -> None:
    order = stage.order(style_modifiers=("ink", "wet"), negative_prompt="dogs")

    await carried(stage.make(), order)

    assert stage.server.asked[0].json()["contents"][0]["parts"] == [{"text": "a red fox, ink, wet\nAvoid: dogs"}]
    [said] = stage.make().plan(FLASH, order.prompt).adjustments
    assert "Avoid" in said


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("SAFETY", ContentPolicy),
        ("IMAGE_PROHIBITED_CONTENT", ContentPolicy),
        ("IMAGE_RECITATION", ContentPolicy),
        ("NO_IMAGE", NoImageReturned),
        ("MAX_TOKENS", NoImageReturned),
        ("ESCALATION", NoImageReturned),
    ],
)
async def test_why_nothing_was_drawn(stage: Stage, reason: str, expected: type[JobError]) -> None:
    stage.then(changed(lambda _: generated("m", content={}, finishReason=reason, finishMessage="Unable to show.")))

    refused = await failure(stage.make(), stage.order())

    assert type(refused) is expected
    assert "Unable to show." in refused.detail
    assert refused.charged == "unknown"


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"])
async def test_why_the_prompt_was_not_taken(stage: Stage, reason: str) -> None:
    stage.then(changed(lambda _: answered({"promptFeedback": {"blockReason": reason}})))

    refused = await failure(stage.make(), stage.order())

    assert (refused.code, refused.facts["category"]) == ("CONTENT_POLICY_INPUT", reason)


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}
A_MINUTES_QUOTA = {"@type": "…QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}]}
A_DAYS_QUOTA = {"@type": "…QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
NO_BILLING = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "BILLING_DISABLED"}


@pytest.mark.parametrize(
    ("status", "state", "details", "expected"),
    [
        (429, None, (A_MINUTES_QUOTA, RETRY_INFO), RateLimited),
        (429, None, (A_DAYS_QUOTA, RETRY_INFO), ProviderQuota),
        (400, None, (BAD_KEY,), ProviderAuth),
        (403, None, (NO_BILLING,), ProviderQuota),
        (400, "FAILED_PRECONDITION", (), ProviderPermission),
        (504, None, (), OutcomeUnknown),
    ],
)
async def test_errors_by_their_details(
    stage: Stage, status: int, state: str | None, details: tuple[dict[str, object], ...], expected: type[JobError]
) -> None:
    stage.then(instead(error(status, "User location is not supported.", *details, state=state)))

    refused = await failure(stage.make(), stage.order())

    assert type(refused) is expected
    if expected is RateLimited:
        assert refused.retry_after_s == 34


async def test_held_back_pictures_are_told_with_the_reason(imagen: Stage) -> None:
    imagen.then(changed(lambda _: predicted(3, held_back=1)))

    answer = await carried(imagen.make(), imagen.order(n=4))

    [note] = answer.notes
    assert note.startswith("Google held 1 of 4 pictures back: Unable to show")
    assert answer.cost_usd is None


async def test_imagen_is_gone_at_google_and_lives_on_elsewhere(stage: Stage, http: httpx.AsyncClient) -> None:
    at_google = {model.id: model.retired_at for model in GoogleProvider(KEY, GOOGLE_URL, http).models}
    elsewhere = {model.id: model.retired_at for model in stage.make().models}

    assert (at_google[IMAGEN.id], elsewhere[IMAGEN.id]) == ("2026-08-17", None)

"""Stability: the contract, and what only Stability says (image-jobs.md §1.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from jobs.errors import CapabilityUnsupported, ContentPolicy, NoImageReturned, ProviderRefused, RateLimited
from jobs.providers.port import PromptSpec, Source
from jobs.providers.stability import MODELS, StabilityProvider
from tests.jobs.providers.contract import AtOnceContract
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import Told, changed, instead
from tests.jobs.providers.sim.stability import Stability, drawn, error
from tests.jobs.providers.stage import KEY, Stage, carried, failure, http

__all__ = ["http"]
pytestmark = pytest.mark.anyio

CORE, ULTRA, SD3 = MODELS[0], MODELS[1], MODELS[2]


@pytest.fixture
async def stage(http: httpx.AsyncClient) -> AsyncIterator[Stage]:
    vendor = Stability(KEY)
    async with vendor.server:
        yield Stage(
            make=lambda: StabilityProvider(KEY, vendor.base_url, http),
            make_impatient=lambda: StabilityProvider(KEY, vendor.base_url, http, timeout_s=0.5),
            make_unreachable=lambda: StabilityProvider(KEY, "http://127.0.0.1:1", http),
            server=vendor.server,
            model=ULTRA,
            error=lambda status, message: error(status, message, name="forbidden" if status == 403 else None),
            refused_prompt=instead(error(403, "Your request was flagged by our content moderation system.")),
            refused_picture=changed(lambda _: drawn("7", "CONTENT_FILTERED")),
            no_picture=changed(lambda _: Told(b"{}")),
        )


class TestContract(AtOnceContract):
    pass


async def test_seed_and_price_of_the_picture(stage: Stage) -> None:
    answer = await carried(stage.make(), stage.order(seed=7))

    assert answer.pictures[0].seed == 7
    assert (answer.cost_usd, answer.request_id) == (0.08, "req-1")


async def test_each_model_has_its_route_and_fields(stage: Stage) -> None:
    for model in MODELS:
        stage.model = model
        await carried(stage.make(), stage.order(negative_prompt="dogs", size="1920x1080"))

    routes = [(asked.path.rpartition("/")[2], asked.fields().get("model")) for asked in stage.server.asked]
    assert routes == [("core", None), ("ultra", None), *(("sd3", model.id) for model in MODELS[2:])]
    assert all(asked.fields()["aspect_ratio"] == "16:9" for asked in stage.server.asked)
    assert all(asked.fields()["negative_prompt"] == "dogs" for asked in stage.server.asked)


async def test_source_goes_along_byte_by_byte(stage: Stage) -> None:
    source = Source(picture(3, "WEBP", 200), "image/webp", 200, 200)

    await carried(stage.make(), stage.order(source=source))

    [part] = [part for part in stage.server.asked[0].parts() if part.name == "image"]
    assert (part.content, part.content_type) == (source.content, "image/webp")


async def test_sd3_keeps_the_shape_of_its_source_and_says_so(stage: Stage) -> None:
    stage.model = SD3
    order = stage.order(source=Source(picture(), "image/png", 64, 64), aspect_ratio="16:9")

    await carried(stage.make(), order)

    fields = stage.server.asked[0].fields()
    assert (fields["mode"], "aspect_ratio" in fields) == ("image-to-image", False)
    assert "The picture keeps the shape of the one it starts from." in stage.make().plan(SD3, order.prompt).adjustments


async def test_source_of_another_kind_is_refused_before_it_is_sent(stage: Stage) -> None:
    with pytest.raises(CapabilityUnsupported, match="JPEG, PNG, WEBP, not from GIF"):
        await stage.make().submit(stage.order(source=Source(b"GIF89a", "image/gif", 1, 1)))

    assert not stage.server.asked


async def test_key_that_is_timed_out_rests_for_a_minute(stage: Stage) -> None:
    stage.then(instead(error(429, "You have exceeded 150 requests in 10 s")))

    refused = await failure(stage.make(), stage.order())

    assert isinstance(refused, RateLimited)
    assert refused.retry_after_s == 60


@pytest.mark.parametrize(
    ("status", "name", "expected", "words"),
    [
        (422, "public_figure", ContentPolicy, "refuses this prompt"),
        (422, "invalid_language", ProviderRefused, "English"),
        (413, None, ProviderRefused, "too large"),
        (400, "bad_request", ProviderRefused, "prompt: required"),
    ],
)
async def test_errors_by_name(stage: Stage, status: int, name: str | None, expected: type, words: str) -> None:
    stage.then(instead(error(status, "prompt: required", name=name)))

    refused = await failure(stage.make(), stage.order())

    assert type(refused) is expected
    assert words in refused.detail


async def test_picture_in_json_is_taken_too(stage: Stage) -> None:
    """It goes by the content type that came, not by the one it asked for."""
    body = b'{"image": "iVBORw0KGgo=", "finish_reason": "SUCCESS", "seed": 343940597}'
    stage.then(changed(lambda _: Told(body, content_type="application/json; type=image/png")))

    answer = await carried(stage.make(), stage.order())

    assert answer.pictures[0].content == b"\x89PNG\r\n\x1a\n"
    assert answer.pictures[0].seed == 343940597


async def test_filtered_picture_in_json_is_no_picture(stage: Stage) -> None:
    stage.then(changed(lambda _: Told(b'{"image": "iVBORw0KGgo=", "finish_reason": "CONTENT_FILTERED", "seed": 1}')))

    assert isinstance(await failure(stage.make(), stage.order()), ContentPolicy)


async def test_empty_picture_is_none(stage: Stage) -> None:
    stage.then(changed(lambda answer: msgspec.structs.replace(answer, body=b"")))

    assert isinstance(await failure(stage.make(), stage.order()), NoImageReturned)


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"size": "1024x1024"}, ("This model draws by ratio, not by pixels: 1024x1024 becomes 1:1.",)),
        ({"size": "1000x990"}, ("The shape 1000x990 is not offered; 1:1 is used.",)),
        ({"aspect_ratio": "16:9"}, ()),
        ({"aspect_ratio": "2.35:1"}, ("The shape 2.35:1 is not offered; 21:9 is used.",)),
        ({"seed": 2**32}, ("The seed 4294967296 is not offered; 1 is used.",)),
        ({"quality": "hd"}, ("Stable Image Core has no quality 'hd'.",)),
    ],
)
async def test_adjustments_are_said(stage: Stage, wishes: dict[str, object], said: tuple[str, ...]) -> None:
    plan = stage.make().plan(CORE, msgspec.convert({"basePrompt": "a fox", **_camel(wishes)}, PromptSpec))

    assert plan.adjustments == said
    assert plan.estimate_usd == 0.03


def _camel(wishes: dict[str, object]) -> dict[str, object]:
    return {name.replace("aspect_ratio", "aspectRatio"): value for name, value in wishes.items()}

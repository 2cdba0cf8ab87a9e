"""Replicate: the contract, and what only Replicate says (image-jobs.md §1.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from jobs.errors import CapabilityUnsupported, DownloadFailed, JobError, OutcomeUnknown, ProviderFailed, RateLimited
from jobs.providers.port import PromptSpec, Source, Ticket
from jobs.providers.replicate import LONGEST_DATA_URL_BYTES, ReplicateProvider
from jobs.providers.replicate_models import ANY, OFFERS
from tests.jobs.providers.contract import TicketContract
from tests.jobs.providers.odd_looks import OddLooks
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.replicate import Replicate, error
from tests.jobs.providers.sim.server import instead
from tests.jobs.providers.stage import KEY, Stage, carried, failure, http

__all__ = ["http"]
pytestmark = pytest.mark.anyio

SCHNELL, DEV, PRO, KONTEXT, SDXL = (offer.model for offer in OFFERS)


@pytest.fixture
async def vendor() -> AsyncIterator[Replicate]:
    vendor = Replicate(KEY)
    async with vendor.server:
        yield vendor


@pytest.fixture
def stage(http: httpx.AsyncClient, vendor: Replicate) -> Stage:
    failed = {"status": "failed", "output": None}
    return Stage(
        make=lambda: ReplicateProvider(KEY, vendor.base_url, http),
        make_impatient=lambda: ReplicateProvider(KEY, vendor.base_url, http, timeout_s=0.2),
        make_unreachable=lambda: ReplicateProvider(KEY, "http://127.0.0.1:1/v1", http),
        server=vendor.server,
        model=DEV,
        error=error,
        refused_prompt=instead(error(422, "The prompt was flagged as sensitive.")),
        refused_picture=vendor.queue.ends(**failed, error="NSFW content detected. Try running it again."),
        no_picture=vendor.queue.ends(output=None),
        fewer=vendor.queue.ends(output=[f"https://replicate.delivery/x/{number}.png" for number in range(3)]),
        most=4,
        order_path="/models/",
        lost=Ticket("nobody"),
    )


class TestContract(OddLooks, TicketContract):
    pass


async def test_order_in_the_words_of_the_model(stage: Stage) -> None:
    order = stage.order(n=2, style_modifiers=("ink",), aspect_ratio="16:9", seed=7)

    await stage.make().submit(order)

    [asked] = stage.server.asked
    assert asked.path == "/v1/models/black-forest-labs/flux-dev/predictions"
    assert asked.json()["input"] == {
        "prompt": "a red fox, ink",
        "aspect_ratio": "16:9",
        "num_outputs": 2,
        "output_format": "png",
        "seed": 7,
    }


async def test_model_with_a_version_goes_by_its_version(stage: Stage) -> None:
    stage.model = SDXL

    answer = await carried(stage.make(), stage.order(size="1920x1080", negative_prompt="dogs"))

    asked = stage.server.asked[0]
    assert (asked.path, asked.json()["version"]) == ("/v1/predictions", SDXL.id.partition(":")[2])
    assert asked.json()["input"]["negative_prompt"] == "dogs"
    assert {"width": 1344, "height": 768}.items() <= asked.json()["input"].items()
    assert answer.cost_usd == pytest.approx(3.0 * 0.000975)


async def test_webhook_is_asked_for_when_there_is_an_address(stage: Stage) -> None:
    url = "https://easel.example/api/webhooks/replicate?order=1"

    await stage.make().submit(msgspec.structs.replace(stage.order(), webhook_url=url))
    await stage.make().submit(stage.order())

    first, second = (asked.json() for asked in stage.server.asked)
    assert (first["webhook"], first["webhook_events_filter"]) == (url, ["start", "logs", "completed"])
    assert "webhook" not in second


async def test_progress_is_read_from_the_log(stage: Stage) -> None:
    await carried(stage.make(), stage.order())

    assert [(one.percent, one.message, one.step, one.steps) for one in stage.reports] == [
        (0, "Waiting for a machine", None, None),
        (45, "Step 9 of 20", 9, 20),
    ]


async def test_price_seed_and_addresses_of_an_answer(stage: Stage) -> None:
    answer = await carried(stage.make(), stage.order(n=3))

    assert answer.cost_usd == pytest.approx(3 * 0.025)
    assert {one.seed for one in answer.pictures} == {7}
    assert answer.pictures[0].url == "https://replicate.delivery/job1/out-0.png"
    assert "*.replicate.delivery" in stage.make().result_hosts


@pytest.mark.parametrize(
    "output",
    [
        "https://replicate.delivery/a.png",
        {"images": [{"url": "https://replicate.delivery/a.png"}], "n": 1},
        "data:image/png;base64,iVBORw0KGgo=",
    ],
)
async def test_output_is_what_the_model_likes(stage: Stage, vendor: Replicate, output: Any) -> None:
    stage.then(vendor.queue.ends(output=output))

    answer = await carried(stage.make(), stage.order())

    assert len(answer.pictures) == 1


@pytest.mark.parametrize(
    ("ending", "code", "charged"),
    [
        ({"status": "failed", "error": "CUDA out of memory", "output": None}, "PROVIDER_FAILED", "unknown"),
        ({"status": "canceled", "output": None}, "PROVIDER_CANCELED", "unknown"),
        ({"status": "aborted", "output": None}, "PROVIDER_CANCELED", "no"),
    ],
)
async def test_end_without_success(
    stage: Stage, vendor: Replicate, ending: dict[str, Any], code: str, charged: str
) -> None:
    stage.then(vendor.queue.ends(**ending))

    error = await failure(stage.make(), stage.order())

    assert isinstance(error, ProviderFailed)
    assert (error.code, error.charged) == (code, charged)


async def test_data_that_was_removed_has_expired(stage: Stage, vendor: Replicate) -> None:
    stage.then(vendor.queue.ends(data_removed=True, output=None))

    error = await failure(stage.make(), stage.order())

    assert isinstance(error, DownloadFailed)
    assert (error.code, error.charged) == ("OUTPUT_EXPIRED", "yes")


async def test_status_never_seen_before_is_waited_out(stage: Stage, vendor: Replicate) -> None:
    vendor.queue.STEPS = 3
    ticket = await stage.make().submit(stage.order())
    assert isinstance(ticket, Ticket)
    vendor.server.then(instead(error(200, "dreaming")), on="/predictions/")

    assert (await stage.make().follow(ticket, stage.order())).pictures


async def test_throttling_says_in_words_how_long(stage: Stage) -> None:
    told = error(429, "Request was throttled. Your rate limit resets in ~30s.")
    stage.then(instead(told))

    refused = await failure(stage.make(), stage.order())

    assert isinstance(refused, RateLimited)
    assert refused.retry_after_s == 30


@pytest.mark.parametrize(("side_px", "uploaded"), [(64, 0), (700, 1)])
async def test_source_goes_along_or_is_uploaded(stage: Stage, vendor: Replicate, side_px: int, uploaded: int) -> None:
    content = picture(3, "PNG", side_px)
    content += b"\0" * (LONGEST_DATA_URL_BYTES if uploaded else 0)

    await stage.make().submit(stage.order(source=Source(content, "image/png", side_px, side_px)))

    sent = stage.server.asked[-1].json()["input"]["image"]
    assert len(vendor.files) == uploaded
    assert sent.startswith(f"{vendor.base_url}/files/" if uploaded else "data:image/png;base64,")
    assert not uploaded or vendor.files == [content]


async def test_upload_that_fails_has_cost_nothing(stage: Stage) -> None:
    stage.server.then(instead(error(503, "busy")), on="/files")
    content = b"\0" * (LONGEST_DATA_URL_BYTES + 1)

    with pytest.raises(JobError) as caught:
        await stage.make().submit(stage.order(source=Source(content, "image/png", 1, 1)))

    assert (caught.value.charged, caught.value.retryable) == ("no", True)
    assert not stage.server.accepted


async def test_job_that_a_webhook_named_is_found(stage: Stage) -> None:
    """The recipe's step 6: the webhook's address held our order's id."""
    found = await stage.make().find(msgspec.structs.replace(stage.order(), job_id="job9"))

    assert found == Ticket("job9")


async def test_cancel_is_told(stage: Stage, vendor: Replicate) -> None:
    ticket = await stage.make().submit(stage.order())
    assert isinstance(ticket, Ticket)

    await stage.make().cancel(ticket)

    error = await failure_of(stage, ticket)
    assert error.code == "PROVIDER_CANCELED"


async def failure_of(stage: Stage, ticket: Ticket) -> JobError:
    with pytest.raises(JobError) as caught:
        await stage.make().follow(ticket, stage.order())
    return caught.value


@pytest.mark.parametrize("model_id", ["fox", "../account", "a/b/c", "a/b:latest", "a/b?x=1", "a/.."])
async def test_name_that_is_no_model_is_refused_before_anything_is_sent(stage: Stage, model_id: str) -> None:
    model = msgspec.structs.replace(ANY.model, id=model_id)

    with pytest.raises(CapabilityUnsupported):
        stage.make().plan(model, PromptSpec("a fox"))


async def test_any_other_model_gets_the_usual_words(stage: Stage) -> None:
    stage.model = msgspec.structs.replace(ANY.model, id="somebody/their-model")

    answer = await carried(stage.make(), stage.order(seed=7, aspect_ratio="16:9"))

    assert stage.server.asked[0].json()["input"] == {"prompt": "a red fox", "aspect_ratio": "16:9", "seed": 7}
    assert answer.cost_usd is None


@pytest.mark.parametrize(("model", "name"), [(PRO, "image_prompt"), (KONTEXT, "input_image")])
async def test_each_model_has_its_own_name_for_the_source(stage: Stage, model: Any, name: str) -> None:
    stage.model = model

    await stage.make().submit(stage.order(source=Source(picture(), "image/png", 64, 64)))

    assert stage.server.asked[0].json()["input"][name].startswith("data:image/png")


@pytest.mark.parametrize("job_id", ["../account", "a/b", "a?x", "a b", ""])
async def test_id_that_a_webhook_made_up_leads_nowhere(stage: Stage, job_id: str) -> None:
    """Not all reports are signed by somebody who knows our orders."""
    with pytest.raises(OutcomeUnknown):
        await stage.make().find(msgspec.structs.replace(stage.order(), job_id=job_id))

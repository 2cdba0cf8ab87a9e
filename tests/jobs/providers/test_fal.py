"""fal: the contract, and what only fal says (image-jobs.md §1.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
    ProviderFailed,
    ProviderRefused,
)
from jobs.providers.fal import FalProvider
from jobs.providers.fal_models import ANY, OFFERS
from jobs.providers.hosted import in_line
from jobs.providers.port import PromptSpec, Source, Ticket
from tests.jobs.providers.contract import TicketContract
from tests.jobs.providers.odd_looks import OddLooks
from tests.jobs.providers.sim.fal import Fal, error, policy
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import instead, refused
from tests.jobs.providers.stage import KEY, Stage, carried, failure, http

__all__ = ["http"]
pytestmark = pytest.mark.anyio

SCHNELL, DEV, PRO, KONTEXT = (offer.model for offer in OFFERS)


@pytest.fixture
async def vendor() -> AsyncIterator[Fal]:
    vendor = Fal(KEY)
    async with vendor.server:
        yield vendor


@pytest.fixture
def stage(http: httpx.AsyncClient, vendor: Fal) -> Stage:
    return Stage(
        make=lambda: FalProvider(KEY, vendor.base_url, http),
        make_impatient=lambda: FalProvider(KEY, vendor.base_url, http, timeout_s=0.2),
        make_unreachable=lambda: FalProvider(KEY, "http://127.0.0.1:1", http),
        server=vendor.server,
        model=DEV,
        error=error,
        refused_prompt=vendor.queue.ends(detail=policy("The prompt is not allowed.")),
        refused_picture=vendor.queue.ends(has_nsfw_concepts=[True]),
        no_picture=vendor.queue.ends(images=[]),
        fewer=vendor.queue.ends(images=[{"url": f"https://v3.fal.media/{number}.jpg"} for number in range(3)]),
        most=4,
        order_path="/fal-ai/flux/dev",
        lost=Ticket(
            "nobody",
            {
                "status": f"{vendor.base_url}/fal-ai/flux/requests/nobody/status",
                "result": f"{vendor.base_url}/fal-ai/flux/requests/nobody",
                "cancel": f"{vendor.base_url}/fal-ai/flux/requests/nobody/cancel",
            },
        ),
    )


class TestContract(OddLooks, TicketContract):
    pass


async def test_order_in_fals_words(stage: Stage) -> None:
    url = "https://easel.example/api/webhooks/fal?order=1"

    await stage.make().submit(msgspec.structs.replace(stage.order(n=2, size="1000x750", seed=7), webhook_url=url))

    [asked] = stage.server.asked
    assert asked.query == {"fal_webhook": url}
    assert asked.json() == {
        "prompt": "a red fox",
        "num_images": 2,
        "image_size": {"width": 1000, "height": 752},
        "seed": 7,
    }


async def test_addresses_are_those_that_fal_gave(stage: Stage, vendor: Fal) -> None:
    vendor.addresses = {"status_url": f"{vendor.base_url}/fal-ai/flux/requests/job1/status?by=them"}

    ticket = await stage.make().submit(stage.order())

    assert isinstance(ticket, Ticket)
    assert ticket.facts == {
        "status": f"{vendor.base_url}/fal-ai/flux/requests/job1/status?by=them",
        "result": f"{vendor.base_url}/fal-ai/flux/requests/job1",
        "cancel": f"{vendor.base_url}/fal-ai/flux/requests/job1/cancel",
    }
    assert (await stage.make().follow(ticket, stage.order())).pictures


@pytest.mark.parametrize("address", ["https://evil.example/status", "http://127.0.0.1:1/status", 7, None])
async def test_key_goes_to_no_address_outside_the_queue(stage: Stage, vendor: Fal, address: Any) -> None:
    vendor.addresses = {"status_url": address}

    assert (await carried(stage.make(), stage.order())).pictures


async def test_place_in_line_and_steps_are_told(stage: Stage) -> None:
    await carried(stage.make(), stage.order())

    assert [(one.percent, one.message) for one in stage.reports] == [(0, "3rd in line"), (50, "Step 14 of 28")]


def test_places_in_line() -> None:
    assert [in_line(place) for place in (0, 1, 2, 3, 10, 11, 12, 20, 21)] == [
        "Next in line",
        "2nd in line",
        "3rd in line",
        "4th in line",
        "11th in line",
        "12th in line",
        "13th in line",
        "21st in line",
        "22nd in line",
    ]


@pytest.mark.parametrize(("size", "cost_usd"), [("1024x1024", 0.025), ("1536x1024", 0.05)])
async def test_price_is_by_megapixels_that_have_begun(stage: Stage, size: str, cost_usd: float) -> None:
    assert (await carried(stage.make(), stage.order(size=size))).cost_usd == pytest.approx(cost_usd)


async def test_price_of_pictures_without_a_size_is_not_known(stage: Stage, vendor: Fal) -> None:
    stage.then(vendor.queue.ends(images=[{"url": "https://v3.fal.media/1.jpg"}]))

    assert (await carried(stage.make(), stage.order())).cost_usd is None


async def test_black_pictures_among_others_are_held_back_and_told(stage: Stage, vendor: Fal) -> None:
    stage.then(vendor.queue.ends(has_nsfw_concepts=[False, True]))

    answer = await carried(stage.make(), stage.order(n=2))

    assert len(answer.pictures) == 1
    assert answer.notes == ("1 of 2 pictures came.", "1 held back by fal's safety checker.")


@pytest.mark.parametrize(
    ("ending", "expected", "charged"),
    [
        ({"error": "worker died", "error_type": "runner_disconnected"}, ProviderFailed, "unknown"),
        ({"error": "no runner in time", "error_type": "startup_timeout"}, ProviderFailed, "no"),
        ({"error": "blocked", "error_type": "content_policy_violation"}, ContentPolicy, "unknown"),
        ({"detail": "out of memory", "http": 500}, ProviderFailed, "unknown"),
        ({"detail": [{"loc": [], "msg": "too small", "type": "value_error"}]}, ProviderFailed, "no"),
        ({"images": None, "image": None}, NoImageReturned, "yes"),
    ],
)
async def test_completed_may_be_a_failure(
    stage: Stage, vendor: Fal, ending: dict[str, Any], expected: type[JobError], charged: str
) -> None:
    stage.then(vendor.queue.ends(**ending))

    error = await failure(stage.make(), stage.order())

    assert type(error) is expected
    assert error.charged == charged


async def test_single_picture_of_other_models_is_found(stage: Stage, vendor: Fal) -> None:
    stage.then(vendor.queue.ends(images=None, image={"url": "https://v3.fal.media/1.jpg"}))

    assert len((await carried(stage.make(), stage.order())).pictures) == 1


async def test_queue_away_while_the_result_is_fetched_is_survived(stage: Stage) -> None:
    ticket = await stage.make().submit(stage.order())
    assert isinstance(ticket, Ticket)
    stage.server.then(refused(200), refused(502), refused(503), on="/status")

    assert (await stage.make().follow(ticket, stage.order())).pictures


async def test_cancel_stops_what_waits(stage: Stage, vendor: Fal) -> None:
    ticket = await stage.make().submit(stage.order())
    assert isinstance(ticket, Ticket)

    await stage.make().cancel(ticket)

    assert vendor.queue.jobs["job1"].is_cancelled


async def test_source_goes_to_the_model_that_takes_one(stage: Stage) -> None:
    await carried(stage.make(), stage.order(source=Source(picture(), "image/png", 64, 64)))

    asked = stage.server.asked[0]
    assert asked.path == "/fal-ai/flux/dev/image-to-image"
    assert asked.json()["image_url"].startswith("data:image/png;base64,")


async def test_job_that_a_webhook_named_is_found_and_followed(stage: Stage) -> None:
    await stage.make().submit(stage.order())

    found = await stage.make().find(msgspec.structs.replace(stage.order(), job_id="job1"))

    assert found is not None
    assert (await stage.make().follow(found, stage.order())).pictures


async def test_refusal_of_the_queue_itself_is_a_refusal(stage: Stage) -> None:
    stage.then(instead(error(422, "prompt: field required")))

    assert isinstance(await failure(stage.make(), stage.order()), ProviderRefused)


@pytest.mark.parametrize("model_id", ["flux", "../flux", "fal-ai/../x", "fal-ai/flux?x", "fal-ai//flux", "a/b c"])
async def test_name_that_is_no_model_is_refused_before_anything_is_sent(stage: Stage, model_id: str) -> None:
    with pytest.raises(CapabilityUnsupported):
        stage.make().plan(msgspec.structs.replace(ANY.model, id=model_id), PromptSpec("a fox"))


async def test_sizes_are_fitted_and_told(stage: Stage) -> None:
    plan = stage.make().plan(DEV, PromptSpec("a fox", size="4000x2000"))

    assert plan.adjustments == ("4000x2000 is not offered; 1536x768 is used.",)
    assert stage.make().plan(KONTEXT, PromptSpec("a fox", aspect_ratio="16:9")).adjustments == ()


@pytest.mark.parametrize("job_id", ["../account", "a/b", "a?x", "a b", ""])
async def test_id_that_a_webhook_made_up_leads_nowhere(stage: Stage, job_id: str) -> None:
    """Not all reports are signed by somebody who knows our orders."""
    with pytest.raises(OutcomeUnknown):
        await stage.make().find(msgspec.structs.replace(stage.order(), job_id=job_id))

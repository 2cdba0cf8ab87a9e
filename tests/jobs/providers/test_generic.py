"""`generic`: the contract, and the wire of our own (CONTRACT §4, §7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from jobs.errors import JobError, OutcomeUnknown, ProviderAuth, ProviderFailed
from jobs.providers.generic import GenericProvider, percent_of
from jobs.providers.port import Answer, Source, Ticket
from jobs.webhooks.standard import key_of
from tests.jobs.providers.contract import TicketContract
from tests.jobs.providers.odd_looks import OddLooks
from tests.jobs.providers.sim.generic import Generic, error
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import cut_after, instead, told
from tests.jobs.providers.stage import KEY, Stage, carried, failure, http

__all__ = ["http"]
pytestmark = pytest.mark.anyio

DEFAULT = GenericProvider.models[0]


@pytest.fixture
async def vendor() -> AsyncIterator[Generic]:
    vendor = Generic(key_of(KEY))
    async with vendor.server:
        yield vendor


@pytest.fixture
def stage(http: httpx.AsyncClient, vendor: Generic) -> Stage:
    return Stage(
        make=lambda: GenericProvider(vendor.url, KEY, http),
        make_impatient=lambda: GenericProvider(vendor.url, KEY, http, timeout_s=0.2),
        make_unreachable=lambda: GenericProvider("http://127.0.0.1:1/make", KEY, http),
        server=vendor.server,
        model=DEFAULT,
        error=error,
        refused_prompt=instead(error(422, "This prompt is prohibited.")),
        refused_picture=vendor.queue.ends(status="failed", error={"code": "content_policy", "message": "not that"}),
        no_picture=vendor.queue.ends(images=[]),
        fewer=vendor.queue.ends(images=[f"https://cdn.example/{number}.png" for number in range(3)]),
        most=4,
        order_path="/make",
        lost=Ticket("nobody"),
    )


class TestContract(OddLooks, TicketContract):
    pass


async def test_order_is_what_the_contract_says(stage: Stage) -> None:
    order = stage.order(n=2, aspect_ratio="16:9", negative_prompt="dogs")
    url = "https://easel.example/api/webhooks/generic?order=1"

    await stage.make().submit(msgspec.structs.replace(order, webhook_url=url))

    assert stage.server.asked[0].json() == {
        "jobId": order.id,
        "promptSpec": {"basePrompt": "a red fox", "aspectRatio": "16:9", "negativePrompt": "dogs", "n": 2},
        "model": "default",
        "webhookUrl": url,
    }


async def test_order_that_is_not_signed_is_refused(stage: Stage, vendor: Generic, http: httpx.AsyncClient) -> None:
    """The simulated server recomputes the signature by itself."""
    assert isinstance(await failure(GenericProvider(vendor.url, "whsec_b3RoZXI=", http), stage.order()), ProviderAuth)
    assert isinstance(await failure(GenericProvider(vendor.url, "", http), stage.order()), ProviderAuth)


async def test_first_secret_of_a_rotation_signs(stage: Stage, vendor: Generic, http: httpx.AsyncClient) -> None:
    provider = GenericProvider(vendor.url, f"{KEY}, whsec_b3RoZXI=", http)

    assert isinstance(await provider.submit(stage.order()), Ticket)


async def test_source_goes_along_as_previous_image(stage: Stage) -> None:
    await stage.make().submit(stage.order(source=Source(picture(), "image/png", 64, 64)))

    assert stage.server.asked[0].json()["promptSpec"]["previousImage"].startswith("data:image/png;base64,")


async def test_progress_is_passed_on(stage: Stage) -> None:
    await carried(stage.make(), stage.order())

    assert [one.percent for one in stage.reports] == [0, 40]


@pytest.mark.parametrize(
    ("progress", "percent"),
    [(45.7, 45), (-3, 0), (float("inf"), 99), (-float("inf"), 0), (10**400, 99), ("much", 0), (None, 0), (True, 0)],
    ids=lambda value: str(value)[:8],
)
def test_whatever_a_server_calls_progress_is_survived(progress: Any, percent: int) -> None:
    """JSON's 1e400 is infinite."""
    assert percent_of(progress) == percent


@pytest.mark.parametrize("images", [["https://cdn.example/1.png"], [{"url": "https://cdn.example/1.png"}]])
async def test_server_may_answer_at_once(stage: Stage, images: list[Any]) -> None:
    stage.then(instead(told({"status": "completed", "images": images})))

    answer = await stage.make().submit(stage.order())

    assert isinstance(answer, Answer)
    assert answer.pictures[0].url == "https://cdn.example/1.png"


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ({"status": "failed", "error": "out of paint"}, "PROVIDER_FAILED"),
        ({"status": "error", "error": {"code": "x", "message": "out of paint"}}, "PROVIDER_FAILED"),
        ({"status": "cancelled"}, "PROVIDER_CANCELED"),
    ],
)
async def test_failures_are_told(stage: Stage, vendor: Generic, ending: dict[str, Any], code: str) -> None:
    stage.then(vendor.queue.ends(**ending))

    error = await failure(stage.make(), stage.order())

    assert isinstance(error, ProviderFailed)
    assert (error.code, error.charged) == (code, "unknown")


async def test_server_that_knows_our_id_is_asked_after_a_crash(stage: Stage, vendor: Generic) -> None:
    stage.then(cut_after)
    with pytest.raises(OutcomeUnknown):
        await stage.make().submit(stage.order())

    assert await stage.make().find(stage.order()) == Ticket("job1")
    vendor.knows_our_ids = False
    with pytest.raises(OutcomeUnknown):
        await stage.make().find(stage.order())
    assert await stage.make().find(msgspec.structs.replace(stage.order(), job_id="job1")) == Ticket("job1")


@pytest.mark.parametrize("cancels", [True, False])
async def test_cancel_is_told_to_those_who_take_it(stage: Stage, vendor: Generic, cancels: bool) -> None:
    vendor.cancels = cancels
    ticket = await stage.make().submit(stage.order())
    assert isinstance(ticket, Ticket)

    await stage.make().cancel(ticket)

    assert vendor.queue.jobs["job1"].is_cancelled == cancels


async def test_job_id_cannot_climb_out_of_its_place(stage: Stage) -> None:
    with pytest.raises(JobError):
        await stage.make().follow(Ticket("../../admin?x=1"), stage.order())

    assert stage.server.asked[0].path == "/make/..%2F..%2Fadmin%3Fx%3D1"

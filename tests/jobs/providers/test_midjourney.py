"""Midjourney gateways: the contract in both shapes, and what only they say (image-jobs.md §1.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from jobs.errors import ContentPolicy, OutcomeUnknown, ProviderFailed, ProviderRefused, RateLimited
from jobs.providers.midjourney import MIDJOURNEY, MidjourneyProvider
from jobs.providers.midjourney_shapes import Novicezk, PiApi, shape_of
from jobs.providers.port import PromptSpec, Source, Ticket
from tests.jobs.providers.contract import TicketContract
from tests.jobs.providers.odd_looks import OddLooks
from tests.jobs.providers.sim.midjourney import Midjourney, submitted
from tests.jobs.providers.sim.midjourney import PiApi as SimulatedPiApi
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import cut_after, instead, told
from tests.jobs.providers.stage import KEY, Stage, carried, failure, http

__all__ = ["http"]
pytestmark = pytest.mark.anyio


@pytest.fixture
async def vendor() -> AsyncIterator[Midjourney]:
    vendor = Midjourney(KEY)
    async with vendor.server:
        yield vendor


@pytest.fixture
def stage(http: httpx.AsyncClient, vendor: Midjourney) -> Stage:
    return Stage(
        make=lambda: MidjourneyProvider(KEY, vendor.base_url, http),
        make_impatient=lambda: MidjourneyProvider(KEY, vendor.base_url, http, timeout_s=0.2),
        make_unreachable=lambda: MidjourneyProvider(KEY, "http://127.0.0.1:1", http),
        server=vendor.server,
        model=MIDJOURNEY,
        error=lambda status, message: told({"description": message}, status),
        refused_prompt=instead(submitted(24, description="may contain sensitive words", bannedWord="blood")),
        refused_picture=vendor.queue.ends(status="FAILURE", failReason="[Banned prompt detected] blood"),
        no_picture=vendor.queue.ends(imageUrl=None),
        order_path="/submit/imagine",
        lost=Ticket("nobody"),
    )


class TestContract(OddLooks, TicketContract):
    pass


async def test_parameters_stand_at_the_prompts_end(stage: Stage) -> None:
    order = stage.order(aspect_ratio="16:9", seed=7, quality="2", negative_prompt="dogs")

    await stage.make().submit(msgspec.structs.replace(order, webhook_url="https://easel.example/hook"))

    assert stage.server.asked[0].json() == {
        "prompt": "a red fox --ar 16:9 --seed 7 --q 2 --no dogs",
        "notifyHook": "https://easel.example/hook",
        "state": order.id,
    }


async def test_four_pictures_come_as_a_grid(stage: Stage) -> None:
    answer = await carried(stage.make(), stage.order(n=4))

    assert [(one.url, one.is_grid) for one in answer.pictures] == [("https://cdn.discordapp.com/grid.png", True)]
    assert [one.percent for one in stage.reports] == [0, 45]


async def test_order_that_waits_in_line_is_taken(stage: Stage, vendor: Midjourney) -> None:
    vendor.code = 22

    assert isinstance(await stage.make().submit(stage.order()), Ticket)


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (submitted(23, description="queue is full"), RateLimited, "full"),
        (submitted(24, bannedWord="blood"), ContentPolicy, "the word “blood”"),
        (submitted(3, description="no such account"), ProviderRefused, "no such account"),
        (submitted(4, description="prompt is empty"), ProviderRefused, "prompt is empty"),
        (submitted(9, description="discord is down"), ProviderFailed, "discord is down"),
    ],
)
async def test_every_answer_is_200_and_the_code_tells(stage: Stage, answer: Any, expected: type, words: str) -> None:
    stage.then(instead(answer))

    error = await failure(stage.make(), stage.order())

    assert type(error) is expected
    assert (error.charged, len(stage.server.accepted)) == ("no", 0)
    assert words in error.detail


@pytest.mark.parametrize("answer", [{"code": "strange"}, {}, {"code": 1}, {"code": 1, "result": "../x"}])
async def test_answer_that_says_neither_yes_nor_no_is_unknown(stage: Stage, answer: dict[str, Any]) -> None:
    stage.then(instead(told(answer)))

    assert isinstance(await failure(stage.make(), stage.order()), OutcomeUnknown)


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ({"status": "FAILURE", "failReason": "timeout"}, "PROVIDER_FAILED"),
        ({"status": "CANCEL"}, "PROVIDER_CANCELED"),
    ],
)
async def test_failures_are_told(stage: Stage, vendor: Midjourney, ending: dict[str, Any], code: str) -> None:
    stage.then(vendor.queue.ends(**ending))

    error = await failure(stage.make(), stage.order())

    assert (error.code, error.charged) == (code, "unknown")


async def test_order_is_found_by_its_state(stage: Stage, vendor: Midjourney) -> None:
    stage.then(cut_after)
    with pytest.raises(OutcomeUnknown):
        await stage.make().submit(stage.order())

    assert await stage.make().find(stage.order()) == Ticket("job1")
    vendor.queue.jobs.clear()
    with pytest.raises(OutcomeUnknown):
        await stage.make().find(stage.order())


async def test_source_goes_along(stage: Stage) -> None:
    await stage.make().submit(stage.order(source=Source(picture(), "image/png", 64, 64)))

    assert stage.server.asked[0].json()["base64Array"][0].startswith("data:image/png;base64,")


def test_label_says_that_it_is_unofficial() -> None:
    assert "unofficial" in MIDJOURNEY.label


async def test_fewer_than_four_are_adjusted(stage: Stage) -> None:
    assert stage.make().plan(MIDJOURNEY, PromptSpec("a fox", n=4)).adjustments == ()
    assert stage.make().plan(MIDJOURNEY, PromptSpec("a fox")).adjustments == ("Midjourney always draws 4 pictures.",)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://api.piapi.ai/api/v1", PiApi),
        ("https://clone.example/api/v1/", PiApi),
        ("http://mj:8080", Novicezk),
        ("http://mj:8080/mj", Novicezk),
    ],
)
def test_address_tells_the_shape(url: str, kind: type) -> None:
    assert isinstance(shape_of(url), kind)


async def test_piapis_shape(http: httpx.AsyncClient, stage: Stage) -> None:
    vendor = SimulatedPiApi(KEY)
    async with vendor.server:
        provider = MidjourneyProvider(KEY, vendor.base_url, http)
        answer = await carried(provider, stage.order(aspect_ratio="16:9"))
        with pytest.raises(OutcomeUnknown):
            await provider.find(stage.order())
        vendor.server.then(
            vendor.queue.ends(status="failed", output={}, error={"code": 1, "message": "no"}), on="/task"
        )
        failed = await failure(provider, stage.order())

    assert answer.pictures[0].url == "https://cdn.midjourney.com/grid.png"
    assert vendor.server.asked[0].json()["input"]["prompt"] == "a red fox --ar 16:9"
    assert failed.code == "PROVIDER_FAILED"


@pytest.mark.parametrize("job_id", ["../account", "a/b", "a?x", "a b", ""])
async def test_id_that_a_webhook_made_up_leads_nowhere(stage: Stage, job_id: str) -> None:
    """Not all reports are signed by somebody who knows our orders."""
    with pytest.raises(OutcomeUnknown):
        await stage.make().find(msgspec.structs.replace(stage.order(), job_id=job_id))

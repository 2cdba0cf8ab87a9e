"""A real ComfyUI, driven from end to end by a graph that needs no weights.

EASEL_TEST_COMFYUI names it, such as http://127.0.0.1:8188. It needs no model; the test with previews needs the node
SaveImageWebsocket, which comes with it.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.errors import ConfigMissing, ProviderFailed, ProviderRefused
from jobs.providers.comfyui import ComfyUIProvider
from jobs.providers.comfyui_graphs import BUILT_IN, TEXT_TO_IMAGE, Graph, graph_of, read_graphs
from jobs.providers.port import Order, Progress, PromptSpec, Source, Ticket
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.stage import http, stored

__all__ = ["http"]
pytestmark = [pytest.mark.anyio, pytest.mark.soak]

[NO_WEIGHTS] = read_graphs(Path(__file__).parent / "graphs")
SHOWN = graph_of(
    "shown",
    "Shown",
    NO_WEIGHTS.filled({}) | {"5": {"class_type": "SaveImageWebsocket", "inputs": {"images": ["2", 0]}}},
)
LOADED = graph_of(
    "loaded",
    "Loaded",
    {
        "1": {"class_type": "LoadImage", "inputs": {"image": ""}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
    },
)

TOO_STRONG = graph_of("too-strong", "Too strong", NO_WEIGHTS.filled({}))
TOO_STRONG.nodes["2"]["inputs"]["strength"] = 9
UNKNOWN = graph_of("unknown", "Unknown", NO_WEIGHTS.filled({}) | {"9": {"class_type": "NoSuchNode", "inputs": {}}})


@pytest.fixture
def provider(http: httpx.AsyncClient) -> ComfyUIProvider:
    url = os.environ.get("EASEL_TEST_COMFYUI")
    if not url:
        pytest.skip("EASEL_TEST_COMFYUI is not set")
    return ComfyUIProvider(url, http, graphs=(NO_WEIGHTS, SHOWN, LOADED, TOO_STRONG, UNKNOWN, *BUILT_IN))


def order(reports: list[Progress], graph: Graph = NO_WEIGHTS, source: Source | None = None, **wishes: Any) -> Order:
    async def report(progress: Progress) -> None:
        reports.append(progress)

    async def woken(seconds: float) -> bool:
        await asyncio.sleep(seconds)
        return False

    spec = PromptSpec("a red fox", **wishes)
    return Order(uuid.uuid4().hex, graph.model, spec, report=report, woken=woken, source=source)


async def carried(provider: ComfyUIProvider, order: Order) -> tuple[bytes, ...]:
    answer = await provider.follow(stored(await provider.submit(order)), order)
    return tuple(picture.content or b"" for picture in answer.pictures)


async def test_pictures_come_once_and_can_be_had_again(provider: ComfyUIProvider) -> None:
    drawn = order([], n=2, size="256x192", seed=5)
    ticket = await provider.submit(drawn)
    assert await provider.submit(drawn) == await provider.find(drawn) == ticket

    first, again = await provider.follow(stored(ticket), drawn), await provider.follow(ticket, drawn)

    assert first == again
    assert [picture.seed for picture in first.pictures] == [5, 5]
    assert all((picture.content or b"").startswith(b"\x89PNG") for picture in first.pictures)


async def test_many_small_orders_at_once(provider: ComfyUIProvider) -> None:
    pictures = await asyncio.gather(*(carried(provider, order([], size="64x64", seed=n)) for n in range(40)))

    assert len(set(pictures)) == 40


async def test_previews_come_while_it_draws(provider: ComfyUIProvider) -> None:
    reports: list[Progress] = []

    await carried(provider, order(reports, SHOWN, n=4, size="512x512"))

    previews = [progress.preview for progress in reports if progress.preview]
    assert previews
    assert all(preview.startswith((b"\x89PNG", b"\xff\xd8")) for preview in previews)
    assert [progress.percent for progress in reports] == sorted(progress.percent for progress in reports)


async def test_source_is_drawn_over(provider: ComfyUIProvider) -> None:
    source = Source(picture(3), "image/png", 64, 64)

    [content] = await carried(provider, order([], LOADED, source))

    assert content.startswith(b"\x89PNG")


async def test_orders_are_stopped_in_line_and_at_work(provider: ComfyUIProvider) -> None:
    large = [order([], n=4, size="2048x2048") for _ in range(3)]
    tickets = [await provider.submit(one) for one in large]

    for number in (2, 0, 1):
        await provider.cancel(tickets[number])

    assert await provider.find(large[2]) is None, "it was only in line"
    with pytest.raises(ProviderFailed) as caught:
        await provider.follow(tickets[0], large[0])
    assert caught.value.code == "PROVIDER_CANCELED"


async def test_what_it_does_not_know_and_does_not_take(provider: ComfyUIProvider) -> None:
    with pytest.raises(ProviderFailed) as caught:
        await provider.follow(Ticket(str(uuid.uuid4())), order([]))
    assert caught.value.code == "PROVIDER_JOB_LOST"
    with pytest.raises(ConfigMissing):
        await provider.submit(order([], TEXT_TO_IMAGE))
    with pytest.raises(ProviderRefused, match=r"Grain: Value 9\.0 bigger than max of 1\.0 \(strength\)"):
        await provider.submit(order([], TOO_STRONG))
    with pytest.raises(ProviderRefused, match="NoSuchNode"):
        await provider.submit(order([], UNKNOWN))

"""ComfyUI: the contract, its graphs, and what a real one was seen to do (image-jobs.md §1.7)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from jobs.errors import (
    CapabilityUnsupported,
    ConfigMissing,
    DownloadFailed,
    JobError,
    NoImageReturned,
    ProviderFailed,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
)
from jobs.providers.comfyui import STOPS, ComfyUIProvider
from jobs.providers.comfyui_graphs import IMAGE_TO_IMAGE, TEXT_TO_IMAGE, read_graphs
from jobs.providers.port import Order, Progress, PromptSpec, Provider, Source, Ticket
from tests.jobs.providers.contract import TicketContract
from tests.jobs.providers.sim.comfyui import ComfyUI, refusal
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import instead, told
from tests.jobs.providers.stage import KEY, Stage, assert_came, carried, failure, http, stored

__all__ = ["http"]
pytestmark = pytest.mark.anyio

[NO_WEIGHTS] = read_graphs(Path(__file__).parent / "graphs")
SOURCE = Source(picture(3), "image/png", 64, 64)


@pytest.fixture
async def comfyui() -> AsyncIterator[ComfyUI]:
    comfyui = ComfyUI(KEY)
    async with comfyui.server:
        yield comfyui
        await comfyui.stop()


@pytest.fixture
async def stage(comfyui: ComfyUI, http: httpx.AsyncClient) -> Stage:
    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    def made(url: str = comfyui.base_url, **settings: Any) -> ComfyUIProvider:
        return ComfyUIProvider(url, http, graphs=(NO_WEIGHTS, TEXT_TO_IMAGE), pause=at_once, **settings)

    return Stage(
        make=made,
        make_impatient=lambda: made(timeout_s=0.2),
        make_unreachable=lambda: made("http://127.0.0.1:1"),
        server=comfyui.server,
        model=NO_WEIGHTS.model,
        error=refusal,
        most=4,
        order_path="/prompt",
        lost=Ticket("11111111-1111-4111-8111-111111111111"),
        reports=[],
    )


class TestContract(TicketContract):
    @pytest.fixture(autouse=True)
    def vendor(self, comfyui: ComfyUI) -> None:
        self.comfyui = comfyui

    async def test_fewer_pictures_than_asked_are_kept_and_told(self, stage: Stage) -> None:
        self.comfyui.files["output//a.png"] = picture()
        self.comfyui.images = [{"filename": "a.png", "subfolder": "", "type": "output"}]

        answer = await carried(stage.make(), stage.order(n=4))

        assert len(answer.pictures) == 1
        assert answer.notes == ("1 of 4 pictures came.",)

    async def test_answer_with_anything_in_any_place(self, stage: Stage) -> None:
        """Each to an order of its own: one that is in the history is not sent again. Deeper: test_comfyui_graphs.py."""
        provider, order = stage.make(), stage.order()
        assert isinstance(provider, ComfyUIProvider)
        ticket = await submitted(provider, order)
        await provider.follow(ticket, order)
        anything: tuple[Any, ...] = (None, 7, [], {}, {"queue_running": None}, {"prompt_id": 7}, {ticket.id: []})
        for path in ("/prompt", "/queue", f"/history/{ticket.id}"):
            for other in anything:
                stage.server.then(instead(told(other)), on=path)
                with suppress(JobError):
                    await provider.submit(fresh(order))
                stage.server.then(instead(told(other)), on=path)
                with suppress(JobError):
                    await provider.follow(ticket, order)


def fresh(order: Order) -> Order:
    return msgspec.structs.replace(order, id=uuid.uuid4().hex)


class Watched:
    """An order whose reports can be waited for."""

    def __init__(self, stage: Stage) -> None:
        self._reported = asyncio.Condition()
        self._reports = stage.reports
        self.order = msgspec.structs.replace(stage.order(), report=self._report)

    async def until(self, holds: Callable[[Progress], bool]) -> None:
        async with self._reported:
            await self._reported.wait_for(lambda: any(map(holds, self._reports)))

    async def _report(self, progress: Progress) -> None:
        async with self._reported:
            self._reports.append(progress)
            self._reported.notify_all()


async def submitted(provider: Provider, order: Order) -> Ticket:
    ticket = await provider.submit(order)
    assert isinstance(ticket, Ticket)
    return ticket


def sent(comfyui: ComfyUI) -> dict[str, Any]:
    """The newest graph that was accepted."""
    body = comfyui.server.accepted[-1].json()
    assert isinstance(body, dict)
    return body


# What is sent


async def test_same_order_is_drawn_once_however_often_it_is_submitted(stage: Stage, comfyui: ComfyUI) -> None:
    """A prompt's id is no idempotency key: it is looked for in queue and history first."""
    comfyui.go.clear()
    first = await submitted(stage.make(), stage.order())
    while_it_is_drawn = await stage.make().submit(stage.order())
    comfyui.go.set()
    await stage.make().follow(stored(first), stage.order())
    afterwards = await stage.make().submit(stage.order())

    assert first == while_it_is_drawn == afterwards
    assert len(comfyui.server.accepted) == 1


async def test_after_a_restart_an_order_is_surely_not_accepted(stage: Stage, comfyui: ComfyUI) -> None:
    await stage.make().submit(stage.order())
    comfyui.restart()

    assert await stage.make().find(stage.order()) is None


async def test_graph_is_filled_by_its_inputs_names(stage: Stage, comfyui: ComfyUI) -> None:
    answer = await carried(stage.make(), stage.order(size="640x448", seed=12, n=3))

    graph = sent(comfyui)["prompt"]
    assert [graph["1"]["inputs"][name] for name in ("width", "height", "batch_size")] == [640, 448, 3]
    assert graph["2"]["inputs"]["seed"] == 12
    assert graph["4"]["inputs"]["filename_prefix"] == f"easel/{stage.order().id}"
    assert [picture.seed for picture in answer.pictures] == [12, 12, 12]
    assert answer.cost_usd == 0


async def test_without_a_seed_the_order_has_one_of_its_own(stage: Stage, comfyui: ComfyUI) -> None:
    order = msgspec.structs.replace(stage.order(), id=uuid.UUID(int=2**32 + 5).hex)
    answer = await carried(stage.make(), order)

    assert sent(comfyui)["prompt"]["2"]["inputs"]["seed"] == answer.pictures[0].seed == 5


async def test_built_in_graph_takes_the_first_checkpoint(stage: Stage, comfyui: ComfyUI) -> None:
    stage.model = TEXT_TO_IMAGE.model
    await carried(stage.make(), stage.order(style_modifiers=("ink", "wide"), negative_prompt="dogs"))

    graph = sent(comfyui)["prompt"]
    assert graph["checkpoint"]["inputs"]["ckpt_name"] == "sd15.safetensors"
    assert graph["prompt"]["inputs"]["text"] == "a red fox, ink, wide"
    assert graph["negative"]["inputs"]["text"] == "dogs"


async def test_without_a_checkpoint_it_says_where_to_put_one(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.checkpoints.clear()
    stage.model = TEXT_TO_IMAGE.model

    error = await failure(stage.make(), stage.order())

    assert isinstance(error, ConfigMissing)
    assert "models/checkpoints" in error.detail
    assert not comfyui.server.accepted


async def test_source_is_uploaded_under_the_name_of_its_content(
    stage: Stage, comfyui: ComfyUI, http: httpx.AsyncClient
) -> None:
    stage.model = IMAGE_TO_IMAGE.model
    provider = ComfyUIProvider(comfyui.base_url, http)
    for _ in range(2):
        await carried(provider, stage.order(source=SOURCE))
        comfyui.restart()

    [(name, content)] = comfyui.uploads.items()
    assert content == SOURCE.content
    assert sent(comfyui)["prompt"]["source"]["inputs"]["image"] == name


async def test_graph_that_starts_from_a_picture_asks_for_one(http: httpx.AsyncClient) -> None:
    provider = ComfyUIProvider("http://127.0.0.1:1", http)

    with pytest.raises(CapabilityUnsupported, match="starts from a picture"):
        provider.plan(IMAGE_TO_IMAGE.model, PromptSpec("a fox"))
    with pytest.raises(CapabilityUnsupported, match="cannot start from a picture"):
        provider.plan(TEXT_TO_IMAGE.model, PromptSpec("a fox", previous_image="/objects/1"))


async def test_refused_graph_names_the_node_and_the_reason(stage: Stage, comfyui: ComfyUI) -> None:
    reason = {"type": "value_not_in_list", "message": "Value not in list", "details": "seed: 'x'"}
    stage.then(instead(refusal(400, "Prompt outputs failed validation", {"2": {"errors": [reason]}})))

    error = await failure(stage.make(), stage.order())

    assert isinstance(error, ProviderRefused)
    assert error.charged == "no"
    assert error.detail == "ComfyUI does not take the graph. Grain: Value not in list (seed: 'x')."


# What is followed


async def test_steps_and_previews_are_shown_as_they_come(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.listener_first = True
    comfyui.go.clear()
    watched = Watched(stage)
    drawing = asyncio.create_task(carried(stage.make(), watched.order))
    await watched.until(lambda progress: progress.step == 2)
    comfyui.go.set()
    await drawing

    assert [(p.step, p.steps) for p in stage.reports if p.preview] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(p.preview is None or p.preview.startswith(b"\xff\xd8") for p in stage.reports)
    assert (stage.reports[0].message, stage.reports[-1].message) == ("In line at ComfyUI", "Grain, step 4 of 4")


async def test_socket_that_breaks_is_opened_again_in_the_middle(stage: Stage, comfyui: ComfyUI) -> None:
    """Then ComfyUI says once more which node it is at, without the prompt's id."""
    comfyui.listener_first = True
    comfyui.go.clear()
    watched = Watched(stage)
    drawing = asyncio.create_task(carried(stage.make(), watched.order))
    await watched.until(lambda progress: progress.step == 2)
    [socket] = comfyui.sockets.values()
    socket.drop()
    await watched.until(lambda progress: stage.reports[-1].message == "Grain")
    comfyui.go.set()

    assert_came((await drawing).pictures[0])
    assert stage.reports[-1].step == 4


async def test_without_a_socket_the_history_is_looked_at(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.takes_sockets = False
    comfyui.go.clear()
    ticket = await submitted(stage.make(), stage.order())
    following = asyncio.create_task(stage.make().follow(ticket, stage.order()))
    await comfyui.server.until(lambda: sum(asked.path == "/queue" for asked in comfyui.server.asked) > 3)

    comfyui.go.set()

    assert_came((await following).pictures[0])


async def test_socket_that_falls_silent_is_not_trusted(stage: Stage, comfyui: ComfyUI, http: httpx.AsyncClient) -> None:
    """The news of the end was lost on its way."""
    comfyui.listener_first = True
    comfyui.go.clear()
    watched = Watched(stage)
    provider = ComfyUIProvider(comfyui.base_url, http, graphs=(NO_WEIGHTS,), silence_s=0.2)
    drawing = asyncio.create_task(carried(provider, watched.order))
    await watched.until(lambda progress: progress.step == 2)
    comfyui.sockets.clear()
    comfyui.go.set()

    assert_came((await drawing).pictures[0])
    assert stage.reports[-1].step == 2


async def test_history_that_comes_late_is_waited_for(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.late_looks = 4

    assert_came((await carried(stage.make(), stage.order())).pictures[0])


async def test_order_that_a_restart_has_lost(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.go.clear()
    ticket = await submitted(stage.make(), stage.order())
    following = asyncio.create_task(stage.make().follow(ticket, stage.order()))
    await comfyui.server.until(lambda: bool(comfyui.sockets))

    comfyui.restart()

    with pytest.raises(ProviderFailed) as caught:
        await following
    assert caught.value.code == "PROVIDER_JOB_LOST"


async def test_machine_that_is_away_is_asked_again_later(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.go.clear()
    ticket = await submitted(stage.make(), stage.order())

    with pytest.raises(ProviderUnavailable) as caught:
        await stage.make_unreachable().follow(ticket, stage.order())

    assert caught.value.charged == "unknown"


async def test_node_that_fails_is_named_with_its_reason(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.error = {
        "node_id": "2",
        "node_type": "ImageAddNoise",
        "exception_type": "torch.OutOfMemoryError",
        "exception_message": "Allocation on device 0 would exceed allowed memory.\n",
    }

    error = await failure(stage.make(), stage.order())

    assert isinstance(error, ProviderFailed)
    assert error.detail == "ComfyUI failed at “Grain”: Allocation on device 0 would exceed allowed memory."
    assert error.said is not None
    assert error.said.code == "torch.OutOfMemoryError"


async def test_graph_without_a_picture(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.images = []

    assert isinstance(await failure(stage.make(), stage.order()), NoImageReturned)


async def test_picture_that_is_gone(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.images = [{"filename": "gone.png", "subfolder": "", "type": "temp"}]

    error = await failure(stage.make(), stage.order())

    assert isinstance(error, DownloadFailed)
    assert error.code == "OUTPUT_EXPIRED"


# Cancelling


async def test_cancelled_in_line_it_is_taken_out(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.go.clear()
    await stage.make().submit(fresh(stage.order()))
    ticket = await submitted(stage.make(), stage.order())

    await stage.make().cancel(ticket)

    assert comfyui.pending == []
    assert comfyui.running is not None
    assert comfyui.running.id != ticket.id, "somebody else's goes on"


async def test_interrupt_is_repeated_until_it_is_heard(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.go.clear()
    comfyui.lost_interrupts = 3
    ticket = await submitted(stage.make(), stage.order())
    await asyncio.sleep(0)

    await stage.make().cancel(ticket)

    assert comfyui.running is None
    with pytest.raises(ProviderFailed) as caught:
        await stage.make().follow(ticket, stage.order())
    assert caught.value.code == "PROVIDER_CANCELED"


async def test_interrupt_that_is_never_heard_is_told(stage: Stage, comfyui: ComfyUI) -> None:
    comfyui.go.clear()
    comfyui.lost_interrupts = STOPS
    ticket = await submitted(stage.make(), stage.order())

    with pytest.raises(ProviderTimeout):
        await stage.make().cancel(ticket)

"""ComfyUI: the operator's own machine, so nothing costs money. (image-jobs.md §1.7)

An order's id is the prompt's id and the socket's client id, so it can always be found again. It is no idempotency key:
what is posted twice is drawn twice, and so `submit` looks for the id first. Queue and history live in ComfyUI's memory:
an order that is in neither was lost in a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import httpx
import msgspec

from jobs.errors import (
    CapabilityUnsupported,
    ConfigMissing,
    DownloadFailed,
    JobError,
    NoImageReturned,
    ProviderFailed,
    ProviderRefused,
    ProviderTimeout,
    Said,
)
from jobs.providers.comfyui_graphs import BUILT_IN, LARGEST_SEED, Graph, values_of
from jobs.providers.comfyui_socket import Display, listen, open_socket
from jobs.providers.comfyui_wire import Ended, Image, PromptReply, Queue, Uploaded, read_or_none
from jobs.providers.hosted import counted, lost
from jobs.providers.http import SENTENCE_CHARACTERS, Reply, Vendor, credential_of
from jobs.providers.polling import Pace, follow
from jobs.providers.port import Answer, Limits, Model, Order, Picture, Plan, PromptSpec, Source, Ticket
from jobs.providers.wishes import check_capabilities

SUBMIT_TIMEOUT_S = 60.0  # it validates the graph, and may be busy loading a model meanwhile
SILENCE_S = 60.0  # one step on a slow machine; then the history is looked at
PACE = Pace(every_s=2.0, looks=1800, expected_s=1.0)  # between two sockets, and without one for an hour
HISTORY_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)  # it was seen to come after the news of the end
STOPS = 20  # an interrupt was seen to get lost, and counts only between two steps
STOP_PAUSE_S = 0.5

T = TypeVar("T")


class ComfyUIProvider:
    id = "comfyui"
    is_paid = False
    result_hosts: frozenset[str] = frozenset()
    own_origin: str | None = None

    def __init__(
        self,
        url: str,
        http: httpx.AsyncClient,
        *,
        graphs: Iterable[Graph] = BUILT_IN,
        concurrency: int = 1,
        timeout_s: float = SUBMIT_TIMEOUT_S,
        silence_s: float = SILENCE_S,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._graphs = {graph.model.id: graph for graph in graphs}
        self._vendor = Vendor("ComfyUI", url, headers={}, secrets=(), http=http)
        self._base = httpx.URL(url)
        self._timeout_s = timeout_s
        self._silence_s = silence_s
        self._pause = pause
        self.models: tuple[Model, ...] = tuple(graph.model for graph in self._graphs.values())
        self.missing_setting = None if url else "COMFYUI_URL"
        self.credential = credential_of(url)
        self.limits = Limits(concurrency=concurrency)

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        graph, said = self._graphs[model.id], list[str]()
        check_capabilities(model, prompt)
        if graph.needs_source and not prompt.previous_image:
            raise CapabilityUnsupported(f"{model.label} starts from a picture. Connect one, or choose another model.")
        values_of(graph, prompt, said)
        return Plan(tuple(said), 0.0)

    async def submit(self, order: Order) -> Ticket:
        if found := await self.find(order):
            return found
        graph = self._graphs[order.model.id]
        values = values_of(graph, order.prompt, []) | {"seed": _seed(order), "prefix": f"easel/{order.id}"}
        if graph.needs_checkpoint:
            values["checkpoint"] = await self._first_checkpoint()
        if order.source is not None:
            values["source"] = await self._upload(order.source)
        prompt_id = _prompt_id(order)
        body = {"prompt": graph.filled(values), "prompt_id": prompt_id, "client_id": prompt_id}
        reply = await self._vendor.send("POST", "/prompt", is_order=True, json=body, timeout_s=self._timeout_s)
        told = read_or_none(reply, PromptReply) or PromptReply()
        wrong = told.what_is_wrong(graph.titles())
        if reply.status != 200:
            raise self._refused(reply, told, wrong)
        if told.prompt_id != prompt_id:
            raise self._vendor.outcome_unknown("ComfyUI named no job", said=self._vendor.said(reply))
        return self._ticket(order, f"ComfyUI left out a part of the graph. {wrong}." if wrong else None)

    async def find(self, order: Order) -> Ticket | None:
        prompt_id = _prompt_id(order)
        # The queue first: what moves to the history meanwhile is seen in one of them.
        if await self._is_queued(prompt_id) or await self._history(prompt_id) is not None:
            return self._ticket(order)
        return None

    async def follow(self, ticket: Ticket, order: Order) -> Answer:
        display = Display(order, ticket.facts.get("titles", {}))
        unhooked = msgspec.structs.replace(order, webhook_url=None)
        return await follow(lambda: self._watch(ticket, order, display), unhooked, "ComfyUI", PACE)

    async def cancel(self, ticket: Ticket) -> None:
        for _ in range(STOPS):
            queue = await self._get("/queue", Queue)
            if queue.is_pending(ticket.id):
                await self._post("/queue", {"delete": [ticket.id]})
            elif queue.is_running(ticket.id):
                await self._post("/interrupt", {"prompt_id": ticket.id})
                await self._pause(STOP_PAUSE_S)
            else:
                return
        raise ProviderTimeout("ComfyUI was asked to stop and has not stopped yet.")

    # Watching

    async def _watch(self, ticket: Ticket, order: Order, display: Display) -> Answer | None:
        """As long as there is a socket to listen at; None: the order goes on."""
        socket = await open_socket(self._base, ticket.id)
        if socket is not None:
            async with socket:
                answer = await self._look(ticket, order)  # it may have ended before there was anybody to hear of it
                if answer is not None:
                    return answer
                await display.show(None)
                await listen(socket, ticket.id, display, self._silence_s)
        return await self._look(ticket, order)

    async def _look(self, ticket: Ticket, order: Order) -> Answer | None:
        for pause_s in (*HISTORY_PAUSES_S, None):
            ended = await self._history(ticket.id)
            if ended is not None:
                return await self._answer(ended, ticket, order)
            if await self._is_queued(ticket.id):
                return None
            if pause_s is not None:
                await order.woken(pause_s)
        raise lost(self._vendor, Reply(200, {}, b""))

    async def _is_queued(self, prompt_id: str) -> bool:
        queue = await self._get("/queue", Queue)
        return queue.is_pending(prompt_id) or queue.is_running(prompt_id)

    async def _history(self, prompt_id: str) -> Ended | None:
        return (await self._get(f"/history/{prompt_id}", dict[str, Ended])).get(prompt_id)

    async def _answer(self, ended: Ended, ticket: Ticket, order: Order) -> Answer:
        if ended.was_interrupted:
            sentence = "ComfyUI was told to stop this order."
            raise ProviderFailed(sentence, code="PROVIDER_CANCELED", charged="unknown")
        if ended.error is not None:
            raise self._failed(ended.error, ticket)
        if not ended.images:
            sentence = "ComfyUI finished and saved no picture. The graph needs a SaveImage node."
            raise NoImageReturned(sentence, charged="unknown")
        pictures = tuple([await self._picture(image, ticket) for image in ended.images[: order.prompt.n]])
        notes = (*ticket.facts.get("notes", ()), *counted(pictures, order))
        if len(ended.images) > order.prompt.n:
            notes = (*notes, f"ComfyUI saved {len(ended.images)} pictures; {order.prompt.n} of them came over.")
        return Answer(pictures, 0.0, notes=notes)

    async def _picture(self, image: Image, ticket: Ticket) -> Picture:
        place = httpx.QueryParams(msgspec.to_builtins(image))
        reply = await self._vendor.send("GET", f"/view?{place}", is_order=False)
        if reply.status in (403, 404):
            sentence = "ComfyUI no longer has the picture that it saved."
            raise DownloadFailed(sentence, code="OUTPUT_EXPIRED", charged="unknown", said=self._vendor.said(reply))
        if reply.status != 200:
            raise self._vendor.refusal(reply, is_order=False)
        return Picture(content=reply.content, seed=ticket.facts.get("seed"))

    def _failed(self, error: Mapping[str, Any], ticket: Ticket) -> ProviderFailed:
        node = ticket.facts.get("titles", {}).get(str(error.get("node_id")), error.get("node_type", "a node"))
        words = self._vendor.redacted(str(error.get("exception_message", "it does not say why")).strip())
        said = Said(code=str(error.get("exception_type", "error"))[:200], message=words)
        sentence = f"ComfyUI failed at “{node}”: {words[:SENTENCE_CHARACTERS].rstrip('.')}."
        return ProviderFailed(sentence, charged="unknown", said=said)

    # Sending

    def _ticket(self, order: Order, note: str | None = None) -> Ticket:
        graph = self._graphs[order.model.id]
        facts: dict[str, Any] = {"titles": graph.titles()}
        if "seed" in graph.places:
            facts["seed"] = _seed(order)
        if note:
            facts["notes"] = [note]
        return Ticket(_prompt_id(order), facts)

    async def _first_checkpoint(self) -> str:
        loader = "CheckpointLoaderSimple"
        info = await self._get(f"/object_info/{loader}", dict[str, Any])
        try:
            names = info[loader]["input"]["required"]["ckpt_name"]
            offered = names[0] if isinstance(names[0], list) else names[1]["options"]  # of older and newer versions
            return str(offered[0])
        except (LookupError, TypeError) as error:
            sentence = "ComfyUI has no checkpoint. Put one into its folder models/checkpoints, or choose another graph."
            raise ConfigMissing(sentence) from error

    async def _upload(self, source: Source) -> str:
        extension = source.content_type.removeprefix("image/")
        name = f"easel-{hashlib.sha256(source.content).hexdigest()[:32]}.{extension}"
        reply = await self._vendor.send(
            "POST",
            "/upload/image",
            is_order=False,
            files=[("image", (name, source.content, source.content_type))],
            data={"type": "input", "overwrite": "true"},  # the name is the content: there is nothing to lose
        )
        return self._read(reply, Uploaded).path

    async def _get(self, path: str, type_: type[T]) -> T:
        return self._read(await self._vendor.send("GET", path, is_order=False), type_)

    async def _post(self, path: str, body: Any) -> None:
        reply = await self._vendor.send("POST", path, is_order=False, json=body)
        if reply.status != 200:
            raise self._vendor.refusal(reply, is_order=False)

    def _read(self, reply: Reply, type_: type[T]) -> T:
        """What is no answer of ComfyUI's was given by somebody else, such as a proxy before it."""
        told = read_or_none(reply, type_) if reply.status == 200 else None
        if told is None:
            status = 502 if reply.status == 200 else reply.status
            raise self._vendor.refusal(msgspec.structs.replace(reply, status=status), is_order=False)
        return told

    def _refused(self, reply: Reply, told: PromptReply, wrong: str) -> JobError:
        code = told.error.type if told.error else None
        if reply.status != 400 or not wrong:
            return self._vendor.refusal(reply, is_order=True, code=code, message=wrong or None)
        said = self._vendor.said(reply, code=code, message=wrong)
        because = (said.message or "")[:SENTENCE_CHARACTERS].rstrip(".")
        return ProviderRefused(f"ComfyUI does not take the graph. {because}.", said=said)


def _seed(order: Order) -> int:
    """As asked for; otherwise one of the order's own, so that it is the same after a crash."""
    if order.prompt.seed is not None:
        return order.prompt.seed % (LARGEST_SEED + 1)
    return int(order.id, 16) % 2**32


def _prompt_id(order: Order) -> str:
    return str(uuid.UUID(order.id))

"""Midjourney through a gateway. There is no official API: gateways break Midjourney's terms, and the label says so.

Every order makes a grid of four pictures, which the machine cuts. Reports are unsigned and only wake.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec

from jobs.errors import ContentPolicy, JobError, NoImageReturned, ProviderFailed, ProviderRefused, RateLimited
from jobs.providers.hosted import Rising, check_cancelled, is_policy, lost, pictures_in
from jobs.providers.http import REQUEST_TIMEOUT_S, Reply, Vendor, credential_of, in_their_words
from jobs.providers.midjourney_shapes import Request, Taken, Task, shape_of
from jobs.providers.polling import Pace, follow
from jobs.providers.port import Answer, Limits, Model, Order, Plan, PromptSpec, Ticket
from jobs.providers.wishes import check_capabilities, check_source, seed_within, wanted_shape, words_of

PACE: Final = Pace(looks=120, expected_s=60.0)  # a picture takes one or two minutes; ten is when nobody waits any more
GRID: Final = 4
LARGEST_SEED: Final = 2**32 - 1
QUEUE_FULL_S: Final = 30.0
SOURCE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp"})

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)

MIDJOURNEY: Final = Model(
    id="midjourney",
    label="Midjourney (unofficial)",
    qualities=("0.5", "1", "2"),
    max_images=GRID,
    seed=True,
    negative_prompt=True,
    previous_image=True,
    max_prompt_characters=6000,
    price_usd=None,
    as_of="2026-11-22",
    source="https://github.com/novicezk/midjourney-proxy",
)


class MidjourneyProvider:
    id = "midjourney"
    models: tuple[Model, ...] = (MIDJOURNEY,)
    is_paid = True
    limits = Limits(concurrency=3)

    def __init__(
        self,
        secret: str,
        base_url: str,
        http: httpx.AsyncClient,
        *,
        pace: Pace = PACE,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        self._shape = shape_of(base_url)
        headers = self._shape.headers(secret)
        self._vendor = Vendor("The Midjourney gateway", base_url, headers=headers, secrets=(secret,), http=http)
        self._pace = pace
        self._timeout_s = timeout_s
        self.missing_setting = None if base_url else "MIDJOURNEY_PROXY_URL"
        self.credential = credential_of(f"{base_url} {secret}")
        self.own_origin = self._vendor.origin
        self.result_hosts = frozenset(
            {"cdn.discordapp.com", "media.discordapp.net", "cdn.midjourney.com", urlsplit(base_url).hostname or ""}
        )

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        said: list[str] = []
        _prompt(model, prompt, said)
        if prompt.n < GRID:
            said.append(f"Midjourney always draws {GRID} pictures.")
        return Plan(tuple(said))

    async def submit(self, order: Order) -> Ticket:
        if order.source is not None:
            check_source(order.model, order.source, SOURCE_TYPES)
        reply = await self._ask(self._shape.imagine(order, _prompt(order.model, order.prompt, [])), is_order=True)
        told = reply.json()
        if not 200 <= reply.status < 300:
            raise self._vendor.refusal(reply, is_order=True, message=_words(told) or None)
        if not isinstance(told, dict):
            raise self._vendor.outcome_unknown("The Midjourney gateway gave no JSON", said=self._vendor.said(reply))
        taken = self._shape.taken(told)
        if taken.verdict != "accepted" or not _ID.fullmatch(taken.task_id):
            raise self._not_taken(taken, reply)
        return Ticket(taken.task_id)

    async def follow(self, ticket: Ticket, order: Order) -> Answer:
        rising = Rising(order)
        return await follow(lambda: self._look(ticket, rising), order, self._vendor.name, self._pace)

    async def find(self, order: Order) -> Ticket | None:
        """A gateway keeps its tasks in memory as a rule: that one is not listed proves nothing."""
        if order.job_id is not None and _ID.fullmatch(order.job_id):
            return Ticket(order.job_id)
        listing = self._shape.listing()
        if listing is not None:
            reply = await self._ask(listing, is_order=False)
            task_id = self._shape.task_of(reply.json(), order.id)
            if reply.status == 200 and task_id is not None:
                return Ticket(task_id)
        raise self._vendor.outcome_unknown("Easel was interrupted")

    async def cancel(self, ticket: Ticket) -> None:
        check_cancelled(self._vendor, await self._ask(self._shape.cancel(ticket.id), is_order=False))

    async def _ask(self, request: Request, *, is_order: bool) -> Reply:
        return await self._vendor.send(
            request.method, request.path, is_order=is_order, json=request.body, timeout_s=self._timeout_s
        )

    async def _look(self, ticket: Ticket, rising: Rising) -> Answer | None:
        reply = await self._ask(self._shape.fetch(ticket.id), is_order=False)
        told = reply.json()
        if reply.status in (404, 410) or (reply.status in (200, 204) and (told is None or told == {})):
            raise lost(self._vendor, reply)
        if not 200 <= reply.status < 300 or not isinstance(told, dict):
            refused = reply if reply.status >= 300 else msgspec.structs.replace(reply, status=502)
            raise self._vendor.refusal(refused, is_order=False, message=_words(told) or None)
        task = self._shape.task(told)
        match task.state:
            case "done":
                return self._answer(task, reply)
            case "failed" | "cancelled":
                raise self._failed(task, reply)
            case "waiting":
                await rising.report(0, "In line")
            case "running":
                await rising.report(task.percent, "Under way")
        return None

    def _answer(self, task: Task, reply: Reply) -> Answer:
        pictures = tuple(msgspec.structs.replace(one, is_grid=True) for one in pictures_in(task.picture))
        if not pictures:
            said = self._vendor.said(reply)
            raise NoImageReturned("The Midjourney gateway finished without a picture.", charged="unknown", said=said)
        return Answer(pictures, None, reply.request_id)

    def _failed(self, task: Task, reply: Reply) -> JobError:
        said = self._vendor.said(reply, code=task.state, message=task.words or None)
        if task.state == "cancelled":
            sentence = "The Midjourney gateway has ended the job."
            return ProviderFailed(sentence, code="PROVIDER_CANCELED", charged="unknown", said=said)
        if is_policy(task.words):
            sentence = "Midjourney's moderators refuse this. Change the prompt."
            return ContentPolicy(sentence, code="CONTENT_POLICY_OUTPUT", charged="unknown", said=said)
        why = in_their_words(said, "it does not say why.")
        return ProviderFailed(f"Midjourney failed: {why}", charged="unknown", said=said)

    def _not_taken(self, taken: Taken, reply: Reply) -> JobError:
        said = self._vendor.said(reply, code=taken.code, message=taken.words or None)
        why, name = in_their_words(said, "it does not say why."), self._vendor.name
        match taken.verdict:
            case "full":
                return RateLimited(f"{name}'s queue is full.", retry_after_s=QUEUE_FULL_S, said=said)
            case "policy":
                banned = f"the word “{said.message[:60]}”" if said.message else "a word of the prompt"
                sentence = f"Midjourney does not allow {banned}. Change the prompt."
                return ContentPolicy(sentence, said=said, category=said.message)
            case "refused":
                return ProviderRefused(f"{name} does not take this: {why}", said=said)
            case "failed":
                return ProviderFailed(f"{name} did not take the order: {why}", charged="no", said=said)
            case _:
                return self._vendor.outcome_unknown(f"{name} gave an answer that makes no sense", said=said)


def _prompt(model: Model, prompt: PromptSpec, said: list[str]) -> str:
    """Midjourney's parameters stand at the prompt's end."""
    check_capabilities(model, prompt)
    parts = [words_of(model, prompt, said)]
    shape = wanted_shape(prompt)
    if shape is not None:
        parts.append(f"--ar {shape.width:g}:{shape.height:g}")
        if shape.in_pixels:
            said.append(f"Midjourney draws by ratio, not by pixels: {shape.text} gives its proportions.")
    seed = seed_within(LARGEST_SEED, model, prompt, said)
    if seed is not None:
        parts.append(f"--seed {seed}")
    if prompt.quality in model.qualities:
        parts.append(f"--q {prompt.quality}")
    elif prompt.quality is not None:
        said.append(f"The quality {prompt.quality[:40]} is not offered; Midjourney's own is used.")
    if prompt.negative_prompt:
        parts.append(f"--no {prompt.negative_prompt}")
    return " ".join(parts)


def _words(told: Any) -> str:
    words = told.get("description") or told.get("message") if isinstance(told, dict) else None
    return words if isinstance(words, str) else ""

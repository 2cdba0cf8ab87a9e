"""fal: a durable queue in front of many models, with a place in line, logs, and signed webhooks.

Wire: docs.fal.ai, "Queue". The addresses of status, result and cancel are those that fal gave: made from the model's
name they would be wrong for most.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from jobs.errors import CapabilityUnsupported, Charged, ContentPolicy, JobError, NoImageReturned, ProviderFailed
from jobs.providers.fal_models import ANY, OFFERS, Offer
from jobs.providers.hosted import (
    Rising,
    check_cancelled,
    counted,
    data_url,
    in_line,
    is_policy,
    lost,
    pictures_in,
    whole,
)
from jobs.providers.http import REQUEST_TIMEOUT_S, Reply, Vendor, credential_of, in_their_words
from jobs.providers.polling import Pace, follow
from jobs.providers.port import Answer, Limits, Model, Order, Plan, PromptSpec, Ticket
from jobs.providers.wishes import (
    check_capabilities,
    check_source,
    nearest_ratio,
    seed_within,
    wanted_shape,
    words_of,
)

FAL_URL: Final = "https://queue.fal.run"
START_TIMEOUT_S: Final = 1800  # as long as the machine waits: what nobody waits for shall not begin
LARGEST_SEED: Final = 2**31 - 1
PACE: Final = Pace(expected_s=5.0)
SIDE_STEP_PX: Final = 8
NEVER_STARTED: Final = ("startup_", "runner_scheduling_")
SOURCE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp"})

_MODEL = re.compile(r"\*|[A-Za-z0-9][\w.-]{0,99}(/[A-Za-z0-9][\w.-]{0,99}){1,4}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)


class FalProvider:
    id = "fal"
    is_paid = True
    limits = Limits(concurrency=10)

    def __init__(
        self,
        key: str,
        base_url: str,
        http: httpx.AsyncClient,
        *,
        pace: Pace = PACE,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        self._vendor = Vendor("fal", base_url, headers={"Authorization": f"Key {key}"}, secrets=(key,), http=http)
        self._base_url = base_url.rstrip("/")
        self._pace = pace
        self._timeout_s = timeout_s
        self._offers = {offer.model.id: offer for offer in OFFERS}
        self.models: tuple[Model, ...] = tuple(offer.model for offer in (*OFFERS, ANY))
        self.missing_setting = None if key else "FAL_KEY"
        self.credential = credential_of(key)
        self.own_origin = self._vendor.origin
        self.result_hosts = frozenset({"fal.media", "*.fal.media", urlsplit(base_url).hostname or ""})

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        said: list[str] = []
        self._inputs(model, prompt, said)
        return Plan(tuple(said), None if model.price_usd is None else model.price_usd * prompt.n)

    async def submit(self, order: Order) -> Ticket:
        inputs, path = self._inputs(order.model, order.prompt, []), order.model.id
        offer = self._offer(order.model)
        if order.source is not None and offer.source is not None:
            check_source(order.model, order.source, SOURCE_TYPES)
            inputs[offer.source] = data_url(order.source)
            path = offer.source_model or path
        query = f"?fal_webhook={quote(order.webhook_url, safe='')}" if order.webhook_url is not None else ""
        headers = {"X-Fal-Request-Timeout": str(START_TIMEOUT_S)}
        reply = await self._vendor.send(
            "POST", f"/{path}{query}", is_order=True, json=inputs, headers=headers, timeout_s=self._timeout_s
        )
        if not 200 <= reply.status < 300:
            raise self._refused(reply, is_order=True)
        told = reply.json()
        request_id = told.get("request_id") if isinstance(told, dict) else None
        if not isinstance(request_id, str) or not _ID.fullmatch(request_id):
            raise self._vendor.outcome_unknown("fal named no request", said=self._vendor.said(reply))
        return self._ticket(request_id, path, told)

    async def follow(self, ticket: Ticket, order: Order) -> Answer:
        rising = Rising(order)
        return await follow(lambda: self._look(ticket, order, rising), order, "fal", self._pace)

    async def find(self, order: Order) -> Ticket | None:
        if order.job_id is None or not _ID.fullmatch(order.job_id):
            raise self._vendor.outcome_unknown("Easel was interrupted")
        return self._ticket(order.job_id, order.model.id, {})

    async def cancel(self, ticket: Ticket) -> None:
        """Only what still waits in line can be stopped; for the rest it is too late."""
        check_cancelled(self._vendor, await self._vendor.send("PUT", ticket.facts["cancel"], is_order=False))

    # What is asked for

    def _offer(self, model: Model) -> Offer:
        return self._offers.get(model.id) or msgspec.structs.replace(ANY, model=model)

    def _inputs(self, model: Model, prompt: PromptSpec, said: list[str]) -> dict[str, Any]:
        if not _MODEL.fullmatch(model.id):
            raise CapabilityUnsupported(
                f"{model.id[:100]!r} is no model of fal's. Use its id, such as fal-ai/flux/dev."
            )
        check_capabilities(model, prompt)
        inputs = {"prompt": words_of(model, prompt, said), "num_images": prompt.n, **_shape(model, prompt, said)}
        seed = seed_within(LARGEST_SEED, model, prompt, said)
        return inputs if seed is None else {**inputs, "seed": seed}

    def _ticket(self, request_id: str, path: str, told: dict[str, Any]) -> Ticket:
        """With fal's own addresses, as long as they are at the queue: the key goes nowhere else."""
        own = f"{self._base_url}/{'/'.join(path.split('/')[:2])}/requests/{request_id}"
        made = {"status": f"{own}/status", "result": own, "cancel": f"{own}/cancel"}
        given = {name: told.get(f"{'response' if name == 'result' else name}_url") for name in made}
        origin = "{0.scheme}://{0.netloc}/".format(urlsplit(self._base_url))
        kept = {name: url for name, url in given.items() if isinstance(url, str) and url.startswith(origin)}
        return Ticket(request_id, {**made, **kept})

    # What comes of it

    async def _look(self, ticket: Ticket, order: Order, rising: Rising) -> Answer | None:
        url: str = ticket.facts["status"]
        reply = await self._vendor.send("GET", f"{url}{'&' if '?' in url else '?'}logs=1", is_order=False)
        told = reply.json()
        if reply.status == 404:
            raise lost(self._vendor, reply)
        if not 200 <= reply.status < 300 or not isinstance(told, dict):
            raise self._refused(reply, is_order=False)
        match told.get("status"):
            case "COMPLETED" if told.get("error") or told.get("error_type"):
                raise self._failed(_text(told.get("error_type")), _text(told.get("error")), reply)
            case "COMPLETED":
                return await self._fetch(ticket, order)
            case "IN_QUEUE":
                place = whole(told.get("queue_position"))
                await rising.report(0, "In line" if place is None else in_line(place))
            case _:  # one that is new to us as well: only an end that we know is an end
                await rising.report_log(_log(told.get("logs")))
        return None

    async def _fetch(self, ticket: Ticket, order: Order) -> Answer:
        reply = await self._vendor.send("GET", ticket.facts["result"], is_order=False)
        told = reply.json()
        if reply.status == 404:
            raise lost(self._vendor, reply)
        if reply.status >= 400 and isinstance(told, dict) and told.get("detail"):  # the model's own answer
            kind, words = _detail(told["detail"])
            raise self._failed(kind, words, reply)
        if reply.status != 200 or not isinstance(told, dict):
            raise self._refused(reply, is_order=False)
        return self._answer(told, order, reply)

    def _answer(self, told: dict[str, Any], order: Order, reply: Reply) -> Answer:
        several, flags = told.get("images"), told.get("has_nsfw_concepts")
        images = several if isinstance(several, list) else [told.get("image")]
        black = [flag is True for flag in flags] if isinstance(flags, list) else []
        black += [False] * (len(images) - len(black))
        shown = [image for image, is_black in zip(images, black, strict=False) if not is_black]
        pictures = pictures_in(shown, whole(told.get("seed")))
        held_back = black.count(True)
        if not pictures and held_back:
            raise ContentPolicy(
                "fal's safety checker blacked the picture out. Change the prompt.",
                code="CONTENT_POLICY_OUTPUT",
                charged="yes",
                said=self._vendor.said(reply),
                category="nsfw",
            )
        if not pictures:
            raise NoImageReturned("fal finished without a picture.", charged="yes", said=self._vendor.said(reply))
        notes = (f"{held_back} held back by fal's safety checker.",) if held_back else ()
        cost_usd = self._offer(order.model).cost_usd(images)
        return Answer(pictures, cost_usd, reply.request_id, counted(pictures, order) + notes)

    def _failed(self, kind: str, words: str, reply: Reply) -> JobError:
        said = self._vendor.said(reply, code=kind or None, message=words or None)
        if "policy" in kind or is_policy(kind) or is_policy(words):
            is_input = reply.status == 422
            code = "CONTENT_POLICY_INPUT" if is_input else "CONTENT_POLICY_OUTPUT"
            return ContentPolicy(
                "fal's content filter refuses this. Change the prompt.",
                code=code,
                charged="no" if is_input else "unknown",
                said=said,
            )
        why = in_their_words(said, "it does not say why.")
        # What was not taken or never started was not run, and only runs are charged.
        is_free = reply.status == 422 or kind.startswith(NEVER_STARTED)
        charged: Charged = "no" if is_free else "unknown"
        return ProviderFailed(f"The model failed: {why}", charged=charged, said=said)

    def _refused(self, reply: Reply, *, is_order: bool) -> JobError:
        told = reply.json()
        kind, words = _detail(told.get("detail")) if isinstance(told, dict) else ("", "")
        if reply.status == 422 and "policy" in kind:
            return self._failed(kind, words, reply)
        if 200 <= reply.status < 300:  # no JSON: somebody else answered
            reply = msgspec.structs.replace(reply, status=502)
        return self._vendor.refusal(reply, is_order=is_order, code=kind or None, message=words or None)


def _shape(model: Model, prompt: PromptSpec, said: list[str]) -> dict[str, Any]:
    shape = wanted_shape(prompt)
    if shape is None:
        return {}
    if model.aspect_ratios:
        return {"aspect_ratio": nearest_ratio(shape, model.aspect_ratios, said)}
    stretch = 1.0 if shape.in_pixels else 1024 / (shape.width * shape.height) ** 0.5
    longest = max(shape.width, shape.height) * stretch
    stretch *= min(1.0, model.max_side_px / longest)
    width, height = (
        max(model.min_side_px, round(side * stretch / SIDE_STEP_PX) * SIDE_STEP_PX)
        for side in (shape.width, shape.height)
    )
    if shape.in_pixels and (width, height) != (shape.width, shape.height):
        said.append(f"{shape.text} is not offered; {width}x{height} is used.")
    return {"image_size": {"width": width, "height": height}}


def _detail(detail: object) -> tuple[str, str]:
    """The kind and the words, of either of the two forms."""
    first = detail[0] if isinstance(detail, list) and detail else None
    if isinstance(first, dict):
        return _text(first.get("type")), _text(first.get("msg"))
    return "", _text(detail)


def _log(lines: object) -> str:
    entries = lines if isinstance(lines, list) else []
    return "\n".join(_text(entry.get("message")) for entry in entries if isinstance(entry, dict))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

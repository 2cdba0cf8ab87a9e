"""Replicate: predictions in its own time, with webhooks, and logs to read progress from.

Wire: replicate.com/openapi.json. Inputs, output and logs are wiped an hour after the end.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

import httpx
import msgspec

from jobs.errors import (
    CapabilityUnsupported,
    Charged,
    ContentPolicy,
    DownloadFailed,
    JobError,
    NoImageReturned,
    ProviderFailed,
)
from jobs.providers.hosted import (
    Rising,
    check_cancelled,
    counted,
    data_url,
    is_policy,
    lost,
    pictures_in,
    whole,
)
from jobs.providers.http import REQUEST_TIMEOUT_S, Reply, Vendor, credential_of, in_their_words
from jobs.providers.polling import Pace, follow
from jobs.providers.port import Answer, Limits, Model, Order, Plan, PromptSpec, Source, Ticket
from jobs.providers.replicate_models import ANY, OFFERS, Offer
from jobs.providers.wishes import (
    check_capabilities,
    check_source,
    nearest_ratio,
    nearest_size,
    seed_within,
    wanted_shape,
    words_of,
)

REPLICATE_URL: Final = "https://api.replicate.com/v1"
CANCEL_AFTER: Final = "30m"  # as long as the machine waits: what nobody waits for shall not be charged
LONGEST_DATA_URL_BYTES: Final = 256 * 1024
LARGEST_SEED: Final = 2**31 - 1  # many models keep it in 32 bits with a sign
PACE: Final = Pace(expected_s=5.0)
EVENTS: Final = ("start", "logs", "completed")
SOURCE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
UPLOAD_TIMEOUT_S: Final = 120.0

_MODEL = re.compile(r"\*|[A-Za-z0-9][\w.-]{0,99}/[A-Za-z0-9][\w.-]{0,99}(:[0-9a-f]{64})?", re.ASCII)
_RESETS = re.compile(r"resets in ~?([0-9]{1,5})s")
_SEED = re.compile(r"(?:using|with) seed:? ([0-9]{1,16})", re.IGNORECASE)


class ReplicateProvider:
    id = "replicate"
    is_paid = True
    limits = Limits(concurrency=20, requests_per_minute=600)

    def __init__(
        self,
        key: str,
        base_url: str,
        http: httpx.AsyncClient,
        *,
        pace: Pace = PACE,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        self._vendor = Vendor(
            "Replicate", base_url, headers={"Authorization": f"Bearer {key}"}, secrets=(key,), http=http
        )
        self._pace = pace
        self._timeout_s = timeout_s
        self._offers = {offer.model.id: offer for offer in OFFERS}
        self.models: tuple[Model, ...] = tuple(offer.model for offer in (*OFFERS, ANY))
        self.missing_setting = None if key else "REPLICATE_API_TOKEN"
        self.credential = credential_of(key)
        self.own_origin = self._vendor.origin
        self.result_hosts = frozenset({"replicate.delivery", "*.replicate.delivery", urlsplit(base_url).hostname or ""})

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        said: list[str] = []
        self._inputs(model, prompt, said)
        return Plan(tuple(said), None if model.price_usd is None else model.price_usd * prompt.n)

    async def submit(self, order: Order) -> Ticket:
        inputs = self._inputs(order.model, order.prompt, [])
        source_input = self._offer(order.model).source
        if order.source is not None and source_input is not None:
            inputs[source_input] = await self._address(order.model, order.source)
        body: dict[str, Any] = {"input": inputs}
        if order.webhook_url is not None:
            body |= {"webhook": order.webhook_url, "webhook_events_filter": EVENTS}
        name, _, version = order.model.id.partition(":")
        path = "/predictions" if version else f"/models/{name}/predictions"
        if version:
            body["version"] = version
        reply = await self._vendor.send(
            "POST", path, is_order=True, json=body, headers={"Cancel-After": CANCEL_AFTER}, timeout_s=self._timeout_s
        )
        if not 200 <= reply.status < 300:
            raise self._refused(reply, is_order=True)
        told = reply.json()
        if not isinstance(told, dict) or not _is_id(told.get("id")):
            raise self._vendor.outcome_unknown("Replicate named no prediction", said=self._vendor.said(reply))
        return Ticket(told["id"])

    async def follow(self, ticket: Ticket, order: Order) -> Answer:
        rising = Rising(order)
        return await follow(lambda: self._look(ticket, order, rising), order, "Replicate", self._pace)

    async def find(self, order: Order) -> Ticket | None:
        if not _is_id(order.job_id):
            raise self._vendor.outcome_unknown("Easel was interrupted")
        return Ticket(order.job_id)

    async def cancel(self, ticket: Ticket) -> None:
        check_cancelled(
            self._vendor, await self._vendor.send("POST", f"/predictions/{ticket.id}/cancel", is_order=False)
        )

    # What is asked for

    def _offer(self, model: Model) -> Offer:
        return self._offers.get(model.id) or msgspec.structs.replace(ANY, model=model)

    def _inputs(self, model: Model, prompt: PromptSpec, said: list[str]) -> dict[str, Any]:
        if not _MODEL.fullmatch(model.id):
            raise CapabilityUnsupported(
                f"{model.id[:100]!r} is no model of Replicate's. Use owner/name or owner/name:version."
            )
        check_capabilities(model, prompt)
        offer = self._offer(model)
        inputs: dict[str, Any] = {
            "prompt": words_of(model, prompt, said),
            **offer.inputs,
            **_shape(model, prompt, said),
        }
        if offer.count is not None:
            inputs[offer.count] = prompt.n
        if model.negative_prompt and prompt.negative_prompt:
            inputs["negative_prompt"] = prompt.negative_prompt
        seed = seed_within(LARGEST_SEED, model, prompt, said)
        return inputs if seed is None else {**inputs, "seed": seed}

    async def _address(self, model: Model, source: Source) -> str:
        """Small pictures go along, others are uploaded first; neither costs anything."""
        check_source(model, source, SOURCE_TYPES)
        if len(source.content) <= LONGEST_DATA_URL_BYTES:
            return data_url(source)
        name = f"source.{source.content_type.removeprefix('image/')}"
        files = [("content", (name, source.content, source.content_type))]
        reply = await self._vendor.send("POST", "/files", is_order=False, files=files, timeout_s=UPLOAD_TIMEOUT_S)
        if not 200 <= reply.status < 300:
            raise self._refused(reply, is_order=False)
        told = reply.json()
        url = told.get("urls", {}).get("get") if isinstance(told, dict) else None
        if not isinstance(url, str):
            raise ProviderFailed("Replicate took the picture to start from and gave no address for it. Run it again.")
        return url

    # What comes of it

    async def _look(self, ticket: Ticket, order: Order, rising: Rising) -> Answer | None:
        reply = await self._vendor.send("GET", f"/predictions/{ticket.id}", is_order=False)
        if reply.status in (404, 410):
            raise lost(self._vendor, reply)
        if reply.status != 200:
            raise self._refused(reply, is_order=False)
        told = reply.json()
        if not isinstance(told, dict):
            raise self._vendor.refusal(msgspec.structs.replace(reply, status=502), is_order=False)
        match told.get("status"):
            case "succeeded":
                return self._answer(told, order, reply)
            case "failed" | "canceled" | "aborted":
                raise self._failed(told, reply)
            case "starting":
                await rising.report(0, "Waiting for a machine")
            case _:  # one that is new to us as well: only an end that we know is an end
                await rising.report_log(_text(told.get("logs")))
        return None

    def _answer(self, told: dict[str, Any], order: Order, reply: Reply) -> Answer:
        if told.get("data_removed") is True:
            raise DownloadFailed(
                "Replicate has deleted the picture: it keeps them for an hour. Run it again.",
                code="OUTPUT_EXPIRED",
                charged="yes",
                said=self._vendor.said(reply),
            )
        pictures = pictures_in(told.get("output"), _seed_of(told))
        if not pictures:
            raise NoImageReturned("Replicate finished without a picture.", charged="yes", said=self._vendor.said(reply))
        metrics = told.get("metrics")
        predict_time_s = metrics.get("predict_time") if isinstance(metrics, dict) else None
        cost_usd = self._offer(order.model).cost_usd(len(pictures), predict_time_s)
        return Answer(pictures, cost_usd, str(told.get("id"))[:200], counted(pictures, order))

    def _failed(self, told: dict[str, Any], reply: Reply) -> JobError:
        """`aborted`: it ended before it began."""
        words, status = _text(told.get("error")), told["status"]
        said = self._vendor.said(reply, code=status, message=words or None)
        if status == "failed" and is_policy(words):
            sentence = "The content filter held the picture back. Change the prompt."
            return ContentPolicy(sentence, code="CONTENT_POLICY_OUTPUT", charged="unknown", said=said)
        if status == "failed":
            why = in_their_words(said, "it does not say why.")
            return ProviderFailed(f"The model failed: {why}", charged="unknown", said=said)
        charged: Charged = "no" if status == "aborted" else "unknown"
        return ProviderFailed("Replicate has ended the job.", code="PROVIDER_CANCELED", charged=charged, said=said)

    def _refused(self, reply: Reply, *, is_order: bool) -> JobError:
        told = reply.json()
        words = _text(told.get("detail")) or _text(told.get("title")) if isinstance(told, dict) else ""
        if is_order and reply.status == 422 and is_policy(words):
            sentence = "The content filter refuses this prompt. Change it."
            return ContentPolicy(sentence, said=self._vendor.said(reply, message=words))
        error = self._vendor.refusal(reply, is_order=is_order, message=words or None)
        resets = _RESETS.search(words)
        if reply.status == 429 and error.retry_after_s is None and resets:
            error.retry_after_s = float(resets[1])
        return error


def _shape(model: Model, prompt: PromptSpec, said: list[str]) -> dict[str, Any]:
    shape = wanted_shape(prompt)
    if shape is None:
        return {}
    if model.aspect_ratios:
        return {"aspect_ratio": nearest_ratio(shape, model.aspect_ratios, said)}
    if model.sizes:
        width, height = nearest_size(shape, model.sizes, said).split("x")
        return {"width": int(width), "height": int(height)}
    # A model that we know nothing of: what is asked for, in the words that most of them have.
    return {"width": int(shape.width), "height": int(shape.height)} if shape.in_pixels else {"aspect_ratio": shape.text}


def _seed_of(told: dict[str, Any]) -> int | None:
    """Asked for, or as most models write it into their log."""
    inputs = told.get("input")
    asked = whole(inputs.get("seed")) if isinstance(inputs, dict) else None
    logged = _SEED.search(_text(told.get("logs")))
    return asked if asked is not None else int(logged[1]) if logged else None


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,200}", value) is not None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

"""OpenAI Images, and the many servers that speak its language: generations, edits, streamed previews, DALL·E's shapes.

Wire: openai/openai-openapi and the `openai` package 3.54.0. No webhooks, no way to ask for a lost order, no seed.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from jobs.errors import Charged, ContentPolicy, JobError, NoImageReturned, ProviderFailed, ProviderQuota, Said
from jobs.providers.at_once import AtOnce, decoded
from jobs.providers.http import SENTENCE_CHARACTERS, Answering, Reply, Vendor, credential_of
from jobs.providers.openai_models import OFFERS, Offer, free_size
from jobs.providers.port import Answer, Limits, Model, Order, Picture, Plan, Progress, PromptSpec
from jobs.providers.wishes import check_capabilities, check_source, nearest_size, seed_within, wanted_shape, words_of

OPENAI_URL = "https://api.openai.com/v1"
TIMEOUT_S = 600.0  # as OpenAI's own client; "max" takes minutes
MAX_ANSWER_BYTES = 256 * 1024 * 1024  # ten pictures of 4K as base64: paid for, so they had better fit
PARTIAL_IMAGES = 2

SOURCE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
POLICY_CODES = frozenset({"moderation_blocked", "content_policy_violation", "content_filter", "contentFilter"})
QUOTA_CODES = frozenset({"billing_hard_limit_reached", "insufficient_quota", "billing_not_active"})

# What other vendors call them.
QUALITY_WORDS = {"standard": "medium", "hd": "high", "low": "standard", "medium": "standard", "high": "hd"}


class OpenAIProvider(AtOnce):
    id = "openai"
    is_paid = True
    limits = Limits(concurrency=16)  # 5 to 250 pictures a minute by the account's tier: it says so with a 429

    def __init__(self, key: str, base_url: str, http: httpx.AsyncClient, *, timeout_s: float = TIMEOUT_S) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        super().__init__(
            Vendor("OpenAI", base_url, headers=headers, secrets=(key,), http=http, max_answer_bytes=MAX_ANSWER_BYTES)
        )
        self._offers = {offer.model.id: offer for offer in _offers_at(base_url)}
        self._timeout_s = timeout_s
        self.models = tuple(offer.model for offer in self._offers.values())
        self.missing_setting = None if key else "OPENAI_API_KEY"
        self.credential = credential_of(key)
        self.own_origin = self._vendor.origin
        self.result_hosts = frozenset({"oaidalleapiprodscus.blob.core.windows.net", urlsplit(base_url).hostname or ""})

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        said: list[str] = []
        fields = self._fields(model, prompt, said)
        estimate_usd = self._offers[model.id].estimate_usd(fields.get("quality"), fields.get("size"))
        return Plan(tuple(said), None if estimate_usd is None else estimate_usd * prompt.n)

    async def submit(self, order: Order) -> Answer:
        path, body = self._request(order)
        async with self._vendor.stream(
            "POST",
            path,
            is_order=True,
            headers={"X-Client-Request-Id": order.id},  # what their support finds an unanswered order by
            timeout_s=self._timeout_s,
            **body,
        ) as answering:
            if answering.is_event_stream:
                return await self._listen(answering, order)
            reply = await answering.read()
        if not 200 <= reply.status < 300:
            raise self._refused(reply)
        return self._answer(reply, order)

    def _request(self, order: Order) -> tuple[str, dict[str, Any]]:
        fields = self._fields(order.model, order.prompt, [])
        if order.source is None:
            return "/images/generations", {"json": fields}
        check_source(order.model, order.source, SOURCE_TYPES)
        name = "image" if order.model.id.startswith("dall-e") else "image[]"
        file_name = f"source.{order.source.content_type.removeprefix('image/')}"
        return "/images/edits", {
            "data": {key: _as_text(value) for key, value in fields.items()},
            "files": [(name, (file_name, order.source.content, order.source.content_type))],
        }

    def _fields(self, model: Model, prompt: PromptSpec, said: list[str]) -> dict[str, Any]:
        check_capabilities(model, prompt)
        seed_within(0, model, prompt, said)
        fields: dict[str, Any] = {"model": model.id, "prompt": words_of(model, prompt, said), "n": prompt.n}
        size, quality = _size(self._offers[model.id], prompt, said), _quality(model, prompt, said)
        if size is not None:
            fields["size"] = size
        if quality is not None:
            fields["quality"] = quality
        if model.id.startswith("dall-e"):
            return {**fields, "response_format": "b64_json"}
        if prompt.n == 1:  # one stream tells of one picture
            fields |= {"stream": True, "partial_images": PARTIAL_IMAGES}
        return fields

    async def _listen(self, answering: Answering, order: Order) -> Answer:
        async for event in answering.events():
            told = event.json()
            if not isinstance(told, dict):
                continue
            kind = str(told.get("type", event.name))
            if kind.endswith(".partial_image"):
                await _show(told, order)
            elif kind.endswith(".completed"):
                return self._answer_of([told], told, order, answering.head.request_id)
            elif kind == "error" or "error" in told:
                raise self._failed_midway(told)
        raise self._vendor.outcome_unknown("OpenAI ended its answer without a picture")

    def _answer(self, reply: Reply, order: Order) -> Answer:
        if reply.content_type.startswith("image/"):
            return Answer((Picture(content=reply.content),), request_id=reply.request_id)
        told = reply.json()
        if not isinstance(told, dict):
            said = self._vendor.said(reply)
            raise NoImageReturned(
                f"OpenAI's answer is neither JSON nor a picture ({reply.content_type[:60] or 'no content type'}). "
                "Check OPENAI_BASE_URL.",
                charged="unknown",
                said=said,
            )
        items = told.get("data")
        return self._answer_of(items if isinstance(items, list) else [], told, order, reply.request_id)

    def _answer_of(self, items: list[Any], told: dict[str, Any], order: Order, request_id: str | None) -> Answer:
        pictures = tuple(picture for item in items if (picture := _picture(item)) is not None)
        if not pictures:
            raise NoImageReturned("OpenAI answered without a picture.", charged="unknown")
        notes = [
            f"OpenAI drew another prompt: {item['revised_prompt'][:SENTENCE_CHARACTERS]}"
            for item in items
            if isinstance(item, dict) and isinstance(item.get("revised_prompt"), str)
        ]
        if len(pictures) < order.prompt.n:
            notes.append(f"{len(pictures)} of {order.prompt.n} pictures came.")
        cost_usd = self._offers[order.model.id].cost_usd(told.get("usage"))
        return Answer(pictures, cost_usd, request_id, tuple(dict.fromkeys(notes)))

    def _refused(self, reply: Reply) -> JobError:
        code, message = _error_of(reply.json())
        by_code = self._by_code(code, self._vendor.said(reply, code=code, message=message), "no")
        return by_code or self._vendor.refusal(reply, is_order=True, code=code, message=message)

    def _failed_midway(self, told: dict[str, Any]) -> JobError:
        """An error inside a stream: the head said 200 already."""
        code, message = _error_of(told if "error" in told else {"error": told})
        said = self._vendor.said(Reply(200, {}, b""), code=code, message=message)
        failed = ProviderFailed("OpenAI failed in the middle of the picture.", charged="unknown", said=said)
        return self._by_code(code, said, "unknown") or failed

    def _by_code(self, code: str | None, said: Said, charged: Charged) -> JobError | None:
        if code in POLICY_CODES:
            category = _category(said.message)
            about = f" ({category})" if category else ""
            return ContentPolicy(
                f"OpenAI refuses this prompt{about}. Change its words and run again.",
                charged=charged,
                said=said,
                category=category,
            )
        if code in QUOTA_CODES:
            return ProviderQuota("The credit at OpenAI is used up. Top it up there.", charged=charged, said=said)
        return None


def _offers_at(base_url: str) -> tuple[Offer, ...]:
    """What is gone at OpenAI lives on at other servers that speak its language."""
    if urlsplit(base_url).hostname == urlsplit(OPENAI_URL).hostname:
        return OFFERS
    replace = msgspec.structs.replace
    return tuple(replace(offer, model=replace(offer.model, retired_at=None, replacement=None)) for offer in OFFERS)


def _size(offer: Offer, prompt: PromptSpec, said: list[str]) -> str | None:
    shape = wanted_shape(prompt)
    if shape is None:
        return None
    return free_size(shape, said) if offer.is_free_size else nearest_size(shape, offer.model.sizes, said)


def _quality(model: Model, prompt: PromptSpec, said: list[str]) -> str | None:
    if not model.qualities:
        return None
    default = model.qualities[0]
    wanted = prompt.quality or default
    if wanted in model.qualities:
        return wanted
    found = QUALITY_WORDS.get(wanted, default)
    found = found if found in model.qualities else default
    said.append(f"The quality {wanted[:40]!r} is not offered; {found} is used.")
    return found


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _picture(item: Any) -> Picture | None:
    if not isinstance(item, dict):
        return None
    url = item.get("url")
    is_address = isinstance(url, str) and url.startswith("http")
    content = decoded(item.get("b64_json")) or (None if is_address else decoded(url))
    if content is not None:
        return Picture(content=content)
    return Picture(url=url) if is_address else None


async def _show(told: dict[str, Any], order: Order) -> None:
    preview, index = decoded(told.get("b64_json")), told.get("partial_image_index", 0)
    if preview is None or not isinstance(index, int):
        return
    step = min(index, PARTIAL_IMAGES - 1) + 1
    percent = round(100 * step / (PARTIAL_IMAGES + 1))
    await order.report(Progress(percent, f"Draft {step} of {PARTIAL_IMAGES}", step, PARTIAL_IMAGES, preview))


def _error_of(told: Any) -> tuple[str | None, str | None]:
    """Code and message; look-alike servers leave out or rename half of it."""
    error = told.get("error", told.get("detail")) if isinstance(told, dict) else None
    if isinstance(error, str):
        return None, error
    if not isinstance(error, dict):
        return None, None
    code, message = error.get("code") or error.get("type"), error.get("message")
    return str(code) if code else None, message if isinstance(message, str) else None


def _category(message: str | None) -> str | None:
    """`… safety_violations=[violence]`."""
    found = re.search(r"safety_violations=\[([^\]]{1,200})\]", message or "")
    return found[1] if found else None

"""Google: Gemini's pictures (`generateContent`), and Imagen's shape (`:predict`) for Vertex and its look-alikes.

Wire: Google's Discovery document, google-genai 3.4.0. That a prompt or a picture was refused comes as HTTP 200, and how
long to wait stands in the body. No webhooks on these calls, no way to ask for a lost order.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec

from jobs.errors import ContentPolicy, JobError, NoImageReturned, ProviderAuth, ProviderPermission, ProviderQuota
from jobs.providers.at_once import AtOnce, decoded
from jobs.providers.google_models import MODELS, RATES, RESOLUTIONS, estimate_usd
from jobs.providers.http import WRONG_KEY, Reply, Vendor, credential_of, in_their_words
from jobs.providers.port import Answer, Limits, Model, Order, Picture, Plan, PromptSpec
from jobs.providers.wishes import (
    check_capabilities,
    check_source,
    nearest_ratio,
    nearest_size,
    seed_within,
    wanted_shape,
    words_of,
)

GOOGLE_URL = "https://generativelanguage.googleapis.com/v1beta"
TIMEOUT_S = 300.0
MAX_ANSWER_BYTES = 256 * 1024 * 1024  # four pictures of Imagen's 2K, or one of 4K and its drafts
LARGEST_SEED: Final = 2**31 - 1
SOURCE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})

PICTURE_REFUSED = frozenset(
    {
        "SAFETY",
        "IMAGE_SAFETY",
        "PROHIBITED_CONTENT",
        "IMAGE_PROHIBITED_CONTENT",
        "BLOCKLIST",
        "SPII",
        "RECITATION",
        "IMAGE_RECITATION",
    }
)


class GoogleProvider(AtOnce):
    id = "google"
    is_paid = True
    limits = Limits(concurrency=16)  # by the project's tier: it says so with a 429
    result_hosts: frozenset[str] = frozenset()
    own_origin: str | None = None

    def __init__(self, key: str, base_url: str, http: httpx.AsyncClient, *, timeout_s: float = TIMEOUT_S) -> None:
        # Not `?key=`: that lands in logs.
        headers = {"x-goog-api-key": key}
        super().__init__(
            Vendor("Google", base_url, headers=headers, secrets=(key,), http=http, max_answer_bytes=MAX_ANSWER_BYTES)
        )
        self._timeout_s = timeout_s
        self.models = _models_at(base_url)
        self.missing_setting = None if key else "GOOGLE_API_KEY"
        self.credential = credential_of(key)

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        said: list[str] = []
        body = _imagen_body(model, prompt, said) if _is_imagen(model) else _gemini_body(model, prompt, said)
        config = body.get("generationConfig", {}).get("imageConfig", {})
        each_usd = estimate_usd(model, config.get("imageSize"))
        return Plan(tuple(said), None if each_usd is None else each_usd * prompt.n)

    async def submit(self, order: Order) -> Answer:
        if _is_imagen(order.model):
            reply = await self._send(f"/models/{order.model.id}:predict", _imagen_body(order.model, order.prompt, []))
            return self._predicted(reply, order)
        body = _gemini_body(order.model, order.prompt, [])
        if order.source is not None:
            check_source(order.model, order.source, SOURCE_TYPES)
            data = base64.b64encode(order.source.content).decode()
            body["contents"][0]["parts"].append({"inlineData": {"mimeType": order.source.content_type, "data": data}})
        return self._generated(await self._send(f"/models/{order.model.id}:generateContent", body), order)

    async def _send(self, path: str, body: dict[str, Any]) -> Reply:
        reply = await self._vendor.send("POST", path, is_order=True, json=body, timeout_s=self._timeout_s)
        if not 200 <= reply.status < 300:
            raise self._refused(reply)
        return reply

    def _generated(self, reply: Reply, order: Order) -> Answer:
        told = self._told(reply)
        candidates = [item for item in _list(told, "candidates") if isinstance(item, dict)]
        if not candidates:
            raise self._blocked(told, reply)
        parts = [part for part in _list(candidates[0].get("content"), "parts") if isinstance(part, dict)]
        drawn = [
            content
            for part in parts
            if not part.get("thought") and (content := decoded(_dict(part, "inlineData").get("data"))) is not None
        ]
        if not drawn:
            raise self._undrawn(candidates[0], parts, reply)
        picture = Picture(content=drawn[-1], seed=order.prompt.seed)
        response_id = told.get("responseId")
        return Answer(
            (picture,),
            cost_usd=RATES[order.model.id].cost_usd(told.get("usageMetadata")) if order.model.id in RATES else None,
            request_id=response_id if isinstance(response_id, str) else reply.request_id,
        )

    def _predicted(self, reply: Reply, order: Order) -> Answer:
        predictions = [item for item in _list(self._told(reply), "predictions") if isinstance(item, dict)]
        contents = [decoded(item.get("bytesBase64Encoded")) for item in predictions]
        pictures = tuple(Picture(content=content) for content in contents if content is not None)
        reasons = [str(item["raiFilteredReason"]) for item in predictions if item.get("raiFilteredReason")]
        if pictures:
            missing = order.prompt.n - len(pictures)
            said = self._vendor.said(reply, message=reasons[0] if reasons else None)
            why = in_their_words(said, "it does not say why.")
            notes = (f"Google held {missing} of {order.prompt.n} pictures back: {why}",) if missing > 0 else ()
            return Answer(pictures, request_id=reply.request_id, notes=notes)
        if reasons:
            raise self._held_back(reasons[0], reply)
        raise NoImageReturned("Google answered without a picture.", charged="unknown", said=self._vendor.said(reply))

    def _told(self, reply: Reply) -> dict[str, Any]:
        told = reply.json()
        if isinstance(told, dict):
            return told
        raise NoImageReturned(
            f"Google's answer is not JSON ({reply.content_type[:60] or 'no content type'}). Check GOOGLE_BASE_URL.",
            charged="unknown",
            said=self._vendor.said(reply),
        )

    def _blocked(self, told: dict[str, Any], reply: Reply) -> JobError:
        """No candidates: the prompt was not taken."""
        reason = _dict(told, "promptFeedback").get("blockReason")
        said = self._vendor.said(reply, code=str(reason) if reason else None)
        if reason is None:
            return NoImageReturned("Google answered without a picture.", charged="unknown", said=said)
        return ContentPolicy(
            f"Google refuses this prompt ({said.code}). Change its words and run again.",
            said=said,
            category=said.code,
        )

    def _undrawn(self, candidate: dict[str, Any], parts: list[dict[str, Any]], reply: Reply) -> JobError:
        reason = str(candidate.get("finishReason") or "")
        words = [part["text"] for part in parts if isinstance(part.get("text"), str) and not part.get("thought")]
        message = candidate.get("finishMessage")
        told = message if isinstance(message, str) else " ".join(words)
        if reason in PICTURE_REFUSED:
            return self._held_back(told, reply, reason)
        said = self._vendor.said(reply, code=reason, message=told)
        why = in_their_words(said, f"{said.code or 'it does not say why'}.")
        return NoImageReturned(f"Google drew nothing: {why}", charged="unknown", said=said)

    def _held_back(self, message: str, reply: Reply, code: str | None = None) -> ContentPolicy:
        said = self._vendor.said(reply, code=code, message=message)
        why = in_their_words(said, f"{said.code or 'it does not say why'}.")
        return ContentPolicy(
            f"Google drew something and holds it back. Change the prompt or the seed. It says: {why}",
            code="CONTENT_POLICY_OUTPUT",
            charged="unknown",
            said=said,
            category=said.code,
        )

    def _refused(self, reply: Reply) -> JobError:
        error = _dict(reply.json(), "error")
        message = error.get("message")
        details = [item for item in _list(error, "details") if isinstance(item, dict)]
        reasons = {str(item["reason"]) for item in details if item.get("reason")}
        code = next(iter(sorted(reasons)), None) or error.get("status")
        told = {"code": str(code) if code else None, "message": message if isinstance(message, str) else None}
        said = self._vendor.said(reply, **told)
        if reasons & {"API_KEY_INVALID", "API_KEY_EXPIRED"}:
            return ProviderAuth(f"Google does not accept the key. {WRONG_KEY}", said=said)
        if "BILLING_DISABLED" in reasons or _is_spent(details):
            return ProviderQuota("The quota at Google is used up. Raise it there, or wait for its reset.", said=said)
        if reply.status == 400 and error.get("status") == "FAILED_PRECONDITION":
            why = in_their_words(said, "it does not say why.")
            return ProviderPermission(f"Google does not allow this with your key: {why}", said=said)
        if reply.status == 400 and "Responsible AI" in (said.message or ""):
            return ContentPolicy("Google refuses this prompt. Change its words and run again.", said=said)
        failure = self._vendor.refusal(reply, is_order=True, **told)
        failure.retry_after_s = _retry_delay_s(details) or failure.retry_after_s
        return failure


def _models_at(base_url: str) -> tuple[Model, ...]:
    """What is gone at the Gemini API lives on at Vertex and its look-alikes."""
    if urlsplit(base_url).hostname == urlsplit(GOOGLE_URL).hostname:
        return MODELS
    return tuple(msgspec.structs.replace(model, retired_at=None, replacement=None) for model in MODELS)


def _is_imagen(model: Model) -> bool:
    return model.id.startswith("imagen-")


def _gemini_body(model: Model, prompt: PromptSpec, said: list[str]) -> dict[str, Any]:
    check_capabilities(model, prompt)
    config: dict[str, Any] = {"responseModalities": ["IMAGE"]}
    image_config = {}
    shape, resolution = wanted_shape(prompt), _resolution(model, prompt, said)
    if shape is not None:
        image_config["aspectRatio"] = nearest_ratio(shape, model.aspect_ratios, said)
    if resolution is not None:
        image_config["imageSize"] = resolution
    if image_config:
        config["imageConfig"] = image_config
    seed = seed_within(LARGEST_SEED, model, prompt, said)
    if seed is not None:
        config["seed"] = seed
    return {
        "contents": [{"role": "user", "parts": [{"text": words_of(model, prompt, said)}]}],
        "generationConfig": config,
    }


def _imagen_body(model: Model, prompt: PromptSpec, said: list[str]) -> dict[str, Any]:
    check_capabilities(model, prompt)
    seed_within(LARGEST_SEED, model, prompt, said)
    parameters: dict[str, Any] = {
        "sampleCount": prompt.n,
        "includeRaiReason": True,
        "outputOptions": {"mimeType": "image/png"},
    }
    shape = wanted_shape(prompt)
    if shape is not None:
        parameters["aspectRatio"] = nearest_ratio(shape, model.aspect_ratios, said)
    return {"instances": [{"prompt": words_of(model, prompt, said)}], "parameters": parameters}


def _resolution(model: Model, prompt: PromptSpec, said: list[str]) -> str | None:
    """As the quality says it ("2K"), else as near to the size as there is. None: Google's default, 1K."""
    if prompt.quality in model.qualities:
        return prompt.quality
    if prompt.quality and prompt.quality != "auto":
        said.append(f"{model.label} has no quality {prompt.quality[:40]!r}.")
    shape = wanted_shape(prompt)
    if shape is None or not shape.in_pixels or not model.qualities:
        return None
    square = msgspec.structs.replace(shape, width=(side := (shape.width * shape.height) ** 0.5), height=side)
    sides = {f"{RESOLUTIONS[name]}x{RESOLUTIONS[name]}": name for name in model.qualities}
    found = sides[nearest_size(square, sides, [])]
    said.append(f"{shape.text} is drawn at {found}.")
    return found


def _is_spent(details: list[dict[str, Any]]) -> bool:
    """A quota that comes back tomorrow is no rate limit."""
    violations = [item for detail in details for item in _list(detail, "violations") if isinstance(item, dict)]
    return any("PerDay" in str(item.get("quotaId", "")) for item in violations)


def _retry_delay_s(details: list[dict[str, Any]]) -> float | None:
    """`RetryInfo`: `"34s"`, `"0.5s"`."""
    for detail in details:
        delay = str(detail.get("retryDelay", "")).removesuffix("s")
        if delay.replace(".", "", 1).isdecimal():
            return float(delay)
    return None


def _dict(of: Any, key: str) -> Mapping[str, Any]:
    found = of.get(key) if isinstance(of, Mapping) else None
    return found if isinstance(found, dict) else {}


def _list(of: Any, key: str) -> list[Any]:
    found = of.get(key) if isinstance(of, Mapping) else None
    return found if isinstance(found, list) else []

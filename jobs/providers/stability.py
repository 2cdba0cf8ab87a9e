"""Stability AI's v2beta: Core, Ultra and Stable Diffusion 3.5. One picture a call, as bytes.

Wire: the vendor's document, as transcribed in the shared specs. A filtered picture comes blurred with status 200. No
webhooks, and no way to ask for a lost order.
"""

from __future__ import annotations

import re
from typing import Any, Final

import httpx

from jobs.errors import ContentPolicy, JobError, NoImageReturned, ProviderRefused
from jobs.providers.at_once import AtOnce, decoded
from jobs.providers.http import Part, Reply, Vendor, credential_of, in_their_words
from jobs.providers.port import Answer, Limits, Model, Order, Picture, Plan, PromptSpec, Source
from jobs.providers.wishes import (
    check_capabilities,
    check_source,
    nearest_ratio,
    seed_within,
    wanted_shape,
    words_of,
)

STABILITY_URL = "https://api.stability.ai"
TIMEOUT_S = 180.0
TIMED_OUT_S = 60.0  # what they do to a key that asks more than 150 times in 10 s, without saying so in a header
LARGEST_SEED: Final = 4_294_967_294
STRENGTH = "0.65"  # how far a picture may leave the one it starts from; 1 forgets it
SOURCE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
RATIOS = ("1:1", "16:9", "21:9", "3:2", "5:4", "4:5", "2:3", "9:16", "9:21")
POLICY_NAMES = frozenset({"content_moderation", "public_figure"})


def _model(model_id: str, label: str, credits_each: float, *, previous_image: bool) -> Model:
    """A credit is one US cent."""
    return Model(
        id=model_id,
        label=label,
        aspect_ratios=RATIOS,
        min_side_px=640,
        max_side_px=1536,
        max_images=4,
        per_call=1,
        seed=True,
        negative_prompt=True,
        previous_image=previous_image,
        max_prompt_characters=10_000,
        price_usd=credits_each / 100,
        as_of="2026-11-22",
        source="https://platform.stability.ai/pricing",
    )


MODELS: tuple[Model, ...] = (
    _model("stable-image-core", "Stable Image Core", 3, previous_image=False),
    _model("stable-image-ultra", "Stable Image Ultra", 8, previous_image=True),
    _model("sd3.5-large", "Stable Diffusion 3.5 Large", 6.5, previous_image=True),
    _model("sd3.5-large-turbo", "Stable Diffusion 3.5 Large Turbo", 4, previous_image=True),
    _model("sd3.5-medium", "Stable Diffusion 3.5 Medium", 3.5, previous_image=True),
    _model("sd3.5-flash", "Stable Diffusion 3.5 Flash", 2.5, previous_image=True),
)


class StabilityProvider(AtOnce):
    id = "stability"
    is_paid = True
    models = MODELS
    limits = Limits(concurrency=16, requests_per_minute=900, penalty_s=TIMED_OUT_S)
    result_hosts: frozenset[str] = frozenset()
    own_origin: str | None = None

    def __init__(self, key: str, base_url: str, http: httpx.AsyncClient, *, timeout_s: float = TIMEOUT_S) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        super().__init__(Vendor("Stability", base_url, headers=headers, secrets=(key,), http=http))
        self._timeout_s = timeout_s
        self.missing_setting = None if key else "STABILITY_API_KEY"
        self.credential = credential_of(key)

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        said: list[str] = []
        _fields(model, prompt, prompt.previous_image is not None, said)
        return Plan(tuple(said), None if model.price_usd is None else model.price_usd * prompt.n)

    async def submit(self, order: Order) -> Answer:
        fields = _fields(order.model, order.prompt, order.source is not None, [])
        parts: list[tuple[str, Part]] = [(name, (None, text)) for name, text in fields.items()]
        if order.source is not None:
            parts.append(("image", _file(order.model, order.source)))
        reply = await self._vendor.send(
            "POST",
            f"/v2beta/stable-image/generate/{_route(order.model)}",
            is_order=True,
            files=parts,
            headers={"Accept": "image/*"},
            timeout_s=self._timeout_s,
        )
        if not 200 <= reply.status < 300:
            raise self._refused(reply)
        return self._answer(reply, order.model)

    def _answer(self, reply: Reply, model: Model) -> Answer:
        if reply.content_type == "application/json":
            told = reply.json()
            facts = told if isinstance(told, dict) else {}
            content, reason, seed = decoded(facts.get("image")), facts.get("finish_reason"), str(facts.get("seed"))
        else:
            content = reply.content if reply.content_type.startswith("image/") else None
            reason, seed = reply.headers.get("finish-reason"), reply.headers.get("seed", "")
        if reason == "CONTENT_FILTERED":
            raise ContentPolicy(
                "Stability drew something and holds it back: it came blurred. Change the prompt or the seed.",
                code="CONTENT_POLICY_OUTPUT",
                charged="unknown",
                said=self._vendor.said(reply, code="CONTENT_FILTERED"),
            )
        if not content:
            raise NoImageReturned(
                f"Stability answered without a picture ({reply.content_type[:60] or 'no content type'}). "
                "Check STABILITY_BASE_URL.",
                charged="unknown",
                said=self._vendor.said(reply),
            )
        picture = Picture(content=content, seed=int(seed) if re.fullmatch("[0-9]{1,18}", seed) else None)
        return Answer((picture,), cost_usd=model.price_usd, request_id=reply.request_id)

    def _refused(self, reply: Reply) -> JobError:
        told = reply.json()
        facts: dict[str, Any] = told if isinstance(told, dict) else {}
        errors = facts.get("errors")
        sentences = [text for text in errors if isinstance(text, str)] if isinstance(errors, list) else []
        name = facts.get("name")
        code, message = (name if isinstance(name, str) else None), " ".join(sentences) or None
        said = self._vendor.said(reply, code=code, message=message)
        if code in POLICY_NAMES:
            return ContentPolicy(
                "Stability refuses this prompt or the picture to start from. Change it and run again.",
                said=said,
                category=code,
            )
        if code == "invalid_language":
            return ProviderRefused("Stability reads English only. Translate the prompt and run again.", said=said)
        if reply.status == 413:
            why = in_their_words(said, "it takes 10 MiB.")
            return ProviderRefused(f"The picture to start from is too large for Stability: {why}", said=said)
        failure = self._vendor.refusal(reply, is_order=True, code=code, message=message)
        if reply.status == 429 and failure.retry_after_s is None:
            failure.retry_after_s = TIMED_OUT_S
        return failure


def _route(model: Model) -> str:
    return "sd3" if model.id.startswith("sd3") else model.id.removeprefix("stable-image-")


def _fields(model: Model, prompt: PromptSpec, has_source: bool, said: list[str]) -> dict[str, str]:
    check_capabilities(model, prompt)
    fields = {"prompt": words_of(model, prompt, said), "output_format": "png"}
    if prompt.negative_prompt:
        fields["negative_prompt"] = prompt.negative_prompt
    seed = seed_within(LARGEST_SEED, model, prompt, said)
    if seed is not None:
        fields["seed"] = str(seed)
    if prompt.quality and prompt.quality != "auto":
        said.append(f"{model.label} has no quality {prompt.quality[:40]!r}.")
    is_sd3 = _route(model) == "sd3"
    if is_sd3:
        fields |= {"model": model.id, "mode": "image-to-image" if has_source else "text-to-image"}
    if has_source:
        fields["strength"] = STRENGTH
    shape = wanted_shape(prompt)
    if shape is not None and is_sd3 and has_source:
        said.append("The picture keeps the shape of the one it starts from.")
    elif shape is not None:
        fields["aspect_ratio"] = nearest_ratio(shape, model.aspect_ratios, said)
    return fields


def _file(model: Model, source: Source) -> Part:
    check_source(model, source, SOURCE_TYPES)
    return f"source.{source.content_type.removeprefix('image/')}", source.content, source.content_type

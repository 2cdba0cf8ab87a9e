"""What a run is: its states, what may be asked of it, and how it looks from outside. Pure; the rules are in SPEC.md."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from canvas.errors import Invalid
from canvas.values import check_json
from jobs.errors import CapabilityUnsupported, Charged, JobError, Said
from jobs.line import InLine
from jobs.providers.port import Model, PromptSpec

Status = Literal["pending", "running", "completed", "failed", "cancelled"]

# JB1. The only moves there are; `running` to itself is another worker taking over, back to `pending` is a wait.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    "pending": frozenset({"running", "cancelled"}),
    "running": frozenset({"running", "pending", "completed", "failed", "cancelled"}),
    "completed": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
LIVE: frozenset[Status] = frozenset(status for status, next_ones in TRANSITIONS.items() if next_ones)

MAX_PROMPT_CHARACTERS = 32_000  # the largest that any provider takes
MAX_SEED = 2**32 - 1  # what Stability takes; the others take more
LATE = "The picture came after the run had ended: it was charged, and is among your renders."
SEEDS = 2**31  # what we draw from: it fits every provider's integer

_SIZE = re.compile(r"([0-9]{1,5})[x×]([0-9]{1,5})", re.IGNORECASE)
_RATIO = re.compile(r"(?=.*[1-9].*:)[0-9.]{1,9}:(?=.*[1-9])[0-9.]{1,9}")


class StartImageJobRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    node_id: str
    workflow_id: str
    prompt_spec: PromptSpec
    provider: str
    model: str = ""
    """Empty: the provider's default."""
    replace: bool = False
    webhook_url: str | None = None
    metadata: dict[str, Any] | None = None


class Failure(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Why a run or an order ended without pictures. What a provider said of it comes last, and only if it said so."""

    code: str
    detail: str
    retryable: bool
    charged: Charged
    provider: str | None = None
    provider_code: str | None = None
    provider_message: str | None = None
    provider_request_id: str | None = None
    http_status: int | None = None
    retry_after_s: float | None = None

    @classmethod
    def of(cls, error: JobError, provider: str | None = None, charged: Charged | None = None) -> Failure:
        said = error.said or Said()
        return cls(
            code=error.code,
            detail=error.detail,
            retryable=error.retryable,
            charged=charged or error.charged,
            provider=provider,
            provider_code=said.code,
            provider_message=said.message,
            provider_request_id=said.request_id,
            http_status=said.http_status,
            retry_after_s=error.retry_after_s,
        )

    def facts(self) -> dict[str, Any]:
        """For an event's data: everything but the sentence, which is its message."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return {key: value for key, value in fields.items() if key != "detail"}


class Cost(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    is_unknown: bool
    """Some of it is not known, and not counted as nothing: `actualUsd` is then the known part."""
    estimated_usd: float | None = None
    actual_usd: float | None = None


class ImageJobRecord(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A run as everyone outside sees it. Absent keys are not known yet."""

    job_id: str
    node_id: str
    workflow_id: str
    provider: str
    model: str
    status: Status
    started_at: datetime
    attempt: int
    finished_at: datetime | None = None
    image_url: str | None = None
    images: tuple[str, ...] = ()
    progress: int | None = None
    waits_for: str | None = None
    """Why it is back in the line: another attempt, or a provider that asks to wait."""
    in_line: InLine | None = None
    """Its place among those that wait for their turn, as somebody saw it a second ago; absent: nobody has looked."""
    metadata: dict[str, Any] | None = None
    cost: Cost | None = None
    error: Failure | None = None
    replayed_as: str | None = None
    """The run that is this one's second chance."""
    late_images: tuple[str, ...] = ()
    """Pictures that came after its end, of orders whose outcome nobody knew then (JB35)."""
    batch_id: str | None = None


class Payload(msgspec.Struct, frozen=True, omit_defaults=True):
    """What we keep for ourselves beside the request."""

    salt: str
    """Picture keys are derived from it (JB16)."""
    seed: int | None = None
    """Drawn when none was asked for, so that a takeover makes the same picture again."""
    images: tuple[str, ...] = ()
    """Keys of the originals, in order, once completed."""
    parent_id: str | None = None
    """The render that the picture starts from."""
    replays: str | None = None
    """The run whose second chance this is."""
    trace: str | None = None
    """Where the trace of the request that started it goes on, if there is one."""


class Run(msgspec.Struct, frozen=True):
    """A row of `runs`."""

    id: str
    workflow_id: str
    node_id: str
    account_id: str
    status: Status
    request: StartImageJobRequest
    payload: Payload
    model: str
    attempt: int
    fence: int
    cancel_requested: bool
    started_at: datetime
    finished_at: datetime | None = None
    progress: int | None = None
    error: Failure | None = None
    takeovers: int = 0
    waited_s: float = 0.0
    """How long providers have asked it to wait, altogether."""
    waits_for: str | None = None
    """Why it is back in the line, as long as it is."""
    cost: Cost | None = None
    replayed_as: str | None = None
    late_images: tuple[str, ...] = ()
    """Keys of originals."""
    batch_id: str | None = None

    @property
    def salt(self) -> str:
        return self.payload.salt

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    def record(self, picture_url: PictureUrl, in_line: InLine | None = None) -> ImageJobRecord:
        images = tuple(picture_url(key) for key in self.payload.images)
        return ImageJobRecord(
            job_id=self.id,
            node_id=self.node_id,
            workflow_id=self.workflow_id,
            provider=self.request.provider,
            model=self.model,
            status=self.status,
            started_at=self.started_at,
            attempt=self.attempt,
            finished_at=self.finished_at,
            image_url=images[0] if images else None,
            images=images,
            progress=self.progress,
            waits_for=self.waits_for,
            in_line=in_line,
            metadata=self.request.metadata,
            cost=self.cost,
            error=self.error,
            replayed_as=self.replayed_as,
            late_images=tuple(picture_url(key) for key in self.late_images),
            batch_id=self.batch_id,
        )

    @property
    def made_with(self) -> MadeWith:
        asked = self.request.prompt_spec
        return MadeWith(
            prompt=", ".join((asked.base_prompt, *asked.style_modifiers)),
            provider=self.request.provider,
            model=self.model,
            size=asked.size,
            aspect_ratio=asked.aspect_ratio,
            quality=asked.quality,
            negative_prompt=asked.negative_prompt,
            n=asked.n,
        )

    def frame(self, in_line: InLine | None = None) -> Frame:
        return Frame(self.id, self.node_id, self.status, self.progress, message=self.waits_for, in_line=in_line)


class PictureUrl(msgspec.Struct, frozen=True):
    """Key to URL: root-relative, so that it outlives a change of host, or on the CDN when there is one."""

    cdn_url: str = ""

    def __call__(self, key: str) -> str:
        return f"{self.cdn_url.rstrip('/')}/{key}" if self.cdn_url else f"/objects/{key}"


class Frame(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a frame on the socket says of a run: the newest state, never the history."""

    job_id: str
    node_id: str
    status: Status
    progress: int | None = None
    step: int | None = None
    steps: int | None = None
    message: str | None = None
    preview_url: str | None = None
    in_line: InLine | None = None

    def as_json(self) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields


class RunResult(msgspec.Struct, frozen=True, rename="camel"):
    """One of the pictures of a run, as its node has it."""

    image_url: str
    thumbnail_url: str
    seed: int | None = None
    """What makes the same picture again, with the same prompt; null: the provider does not say."""


class MadeWith(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What the pictures of a run were asked for with, under the names that a node's own settings have."""

    prompt: str
    """All of it, also what came by wires."""
    provider: str
    model: str
    size: str | None = None
    aspect_ratio: str | None = None
    quality: str | None = None
    negative_prompt: str | None = None
    n: int = 1


class NodeChange(NamedTuple):
    """What a transition does to the run's node: one pointer a key."""

    values: dict[str, Any]
    unset: tuple[str, ...]


def node_change(
    job_id: str,
    status: Status,
    at: datetime,
    *,
    results: tuple[RunResult, ...] = (),
    made_with: MadeWith | None = None,
    error: str = "",
) -> NodeChange:
    """A node that fails or starts again keeps its last pictures: taking them away would be one more loss.

    `results`: of a run that has completed, at least one; the first is the node's picture. `made_with` is theirs.
    """
    values: dict[str, Any] = {
        "/data/status": "error" if status == "failed" else status,
        "/data/jobId": job_id,
        "/data/updatedAt": msgspec.to_builtins(at),
    }
    if status == "completed":
        values |= {"/data/imageUrl": results[0].image_url, "/data/thumbnailUrl": results[0].thumbnail_url}
        values["/data/results"] = [msgspec.to_builtins(result) for result in results]
        values["/data/madeWith"] = msgspec.to_builtins(made_with)
    if status == "failed":
        return NodeChange(values | {"/data/error": error}, ())
    return NodeChange(values, ("/data/error",))


def late_change(at: datetime, image_url: str, thumbnail_url: str) -> NodeChange:
    """JB35. The run stays failed, and so does its node: with its picture, and a sentence that says so."""
    values = {
        "/data/imageUrl": image_url,
        "/data/thumbnailUrl": thumbnail_url,
        "/data/error": LATE,
        "/data/updatedAt": msgspec.to_builtins(at),
    }
    return NodeChange(values, ())


def new_payload(request: StartImageJobRequest, model: Model) -> Payload:
    seed = secrets.randbelow(SEEDS) if model.seed and request.prompt_spec.seed is None else None
    return Payload(salt=secrets.token_hex(16), seed=seed)


def check_request(request: StartImageJobRequest, model: Model, webhook_hosts: frozenset[str] = frozenset()) -> None:
    """Raise Invalid or CapabilityUnsupported unless the run may be stored. The registry has already found the model."""
    check_json(msgspec.json.decode(msgspec.json.encode(request)))
    prompt = request.prompt_spec
    if not prompt.base_prompt.strip():
        raise Invalid("The prompt is empty. Say in promptSpec.basePrompt what the picture should show.")
    if len(prompt.base_prompt) > MAX_PROMPT_CHARACTERS:
        raise Invalid(f"The prompt has more than {MAX_PROMPT_CHARACTERS:,} characters. Shorten promptSpec.basePrompt.")
    if prompt.seed is not None and not 0 <= prompt.seed <= MAX_SEED:
        raise Invalid(f"promptSpec.seed is a whole number from 0 to {MAX_SEED}; leave it out for a random one.")
    if prompt.n < 1:
        raise Invalid("promptSpec.n says how many pictures to make: at least 1.")
    _check_webhook_url(request.webhook_url, webhook_hosts)
    _check_capabilities(prompt, model)


def _check_webhook_url(url: str | None, webhook_hosts: frozenset[str]) -> None:
    if url is None:
        return
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or parts.netloc.lower() not in webhook_hosts:
        raise Invalid(
            "webhookUrl may only name another public address of this Easel. Add its host to EASEL_WEBHOOK_HOSTS first."
        )


def _check_capabilities(prompt: PromptSpec, model: Model) -> None:
    if prompt.n > model.max_images:
        raise CapabilityUnsupported(
            f"{model.label} makes at most {model.max_images} at a time; promptSpec.n is {prompt.n}."
        )
    if prompt.previous_image is not None and not model.previous_image:
        raise CapabilityUnsupported(f"{model.label} cannot start from a picture. Leave promptSpec.previousImage out.")
    if prompt.aspect_ratio is not None and not _RATIO.fullmatch(prompt.aspect_ratio):
        raise Invalid("promptSpec.aspectRatio is two numbers with a colon between them, such as 16:9.")
    if prompt.size is not None:
        _check_size(prompt.size, model)


def _check_size(size: str, model: Model) -> None:
    sides = _SIZE.fullmatch(size)
    if sides is None:
        raise Invalid("promptSpec.size is width and height in pixels, such as 1024x768.")
    if model.sizes:  # the nearest one is taken, and said: `Provider.plan`
        return
    if not all(model.min_side_px <= int(side) <= model.max_side_px for side in sides.groups()):
        raise CapabilityUnsupported(
            f"{model.label} draws sides from {model.min_side_px} to {model.max_side_px} pixels; {size} is outside."
        )

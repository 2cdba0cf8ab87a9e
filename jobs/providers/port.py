"""What a provider is: a door to somebody who makes pictures. One adapter a file, one Protocol for all.

The machine (`jobs.calls`) decides when to send, whether to send again, how long to wait and what it has cost; an
adapter knows one vendor's words. The contract, which `tests/jobs/providers/contract.py` holds every adapter to:

- `submit` sends one order exactly once. It never repeats a request by itself: whether that is safe is not its question.
- What it raises is a `JobError` and says truthfully what is known: `charged="no"` only when nothing can have been
  accepted (nothing was sent, or the vendor refused), `OutcomeUnknown` when the order left and no answer came.
- It goes by the answer's status and content type, not by what it hoped for; it counts the pictures that came against
  those asked for; a 200 without a picture is `NoImageReturned` or `ContentPolicy`, never an empty success.
- It may be cancelled (`asyncio.CancelledError`) at any await and then leaves nothing open.
- No key, no URL with a token in it, no base64 in any error, log or `Ticket`.
- Bytes go on as they came: checking them is the machine's work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec


class PromptSpec(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What is asked for, in the words of every provider at once (CONTRACT: ImagePromptSpec)."""

    base_prompt: str
    style_modifiers: tuple[str, ...] = ()
    size: str | None = None
    """`"1024x768"`, in pixels."""
    aspect_ratio: str | None = None
    """`"16:9"`."""
    quality: str | None = None
    seed: int | None = None
    negative_prompt: str | None = None
    previous_image: str | None = None
    n: int = 1


class Model(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A row of the registry: what a model can do and what it costs."""

    id: str
    label: str
    sizes: tuple[str, ...] = ()
    """The sizes it draws, as `"1024x1024"`; empty: any side from `min_side_px` to `max_side_px`."""
    aspect_ratios: tuple[str, ...] = ()
    """The ratios it draws, as `"16:9"`; empty: those of `sizes`, or any."""
    qualities: tuple[str, ...] = ()
    min_side_px: int = 64
    max_side_px: int = 2048
    max_images: int = 1
    """In one run."""
    per_call: int | None = None
    """In one call, when that is less than `max_images`: the machine then sends several orders."""
    seed: bool = False
    negative_prompt: bool = False
    previous_image: bool = False
    max_prompt_characters: int = 32_000
    price_usd: float | None = 0.0
    """Per picture, of the default size and quality; None: it is not known."""
    as_of: str | None = None
    """The day the row was checked, `YYYY-MM-DD`."""
    source: str | None = None
    """Where the price and the limits were read."""
    retired_at: str | None = None
    replacement: str | None = None


class Limits(msgspec.Struct, frozen=True):
    """What one credential may do. None: no limit that we know of."""

    concurrency: int | None = None
    """Orders under way at a time, over all workers."""
    requests_per_minute: float | None = None
    penalty_s: float = 20.0
    """How long the credential is left alone after a 429 that does not say for how long."""


class Plan(msgspec.Struct, frozen=True):
    """How a prompt will be put to a model: known before anything is sent, told to the user."""

    adjustments: tuple[str, ...] = ()
    """Sentences, such as "1000x1000 is not offered; 1024x1024 is used"."""
    estimate_usd: float | None = None
    """For all pictures of the prompt; None: not known, which is not 0."""


class Source(msgspec.Struct, frozen=True):
    """The picture to start from (`previousImage`), already loaded and inspected."""

    content: bytes
    content_type: str
    width_px: int
    height_px: int


class Progress(msgspec.Struct, frozen=True):
    """One step of a generation. `preview` is a small encoded picture (WebP, PNG or JPEG), shown and never stored."""

    percent: int
    message: str
    step: int | None = None
    steps: int | None = None
    preview: bytes | None = None


class Picture(msgspec.Struct, frozen=True):
    """One picture as the provider made it: its bytes, or where they can be had for a while."""

    content: bytes | None = None
    url: str | None = None
    seed: int | None = None
    """The one that the provider says it used."""
    is_grid: bool = False
    """Four pictures in one, two by two: to be cut."""


class Answer(msgspec.Struct, frozen=True):
    """What came of an order. At least one picture."""

    pictures: tuple[Picture, ...]
    cost_usd: float | None = None
    """As far as the answer says it (usage, credits, seconds); None: it does not, which is not 0."""
    request_id: str | None = None
    """The vendor's, for their support."""
    notes: tuple[str, ...] = ()
    """Worth telling the user: a prompt that was rewritten, pictures that were held back and why."""


class Ticket(msgspec.Struct, frozen=True, omit_defaults=True):
    """An accepted order of a provider that works in its own time. Stored before anything else happens (JB7)."""

    id: str
    """The vendor's: the job is looked for, cancelled and recognised in webhooks by it."""
    facts: dict[str, Any] = {}
    """What else the adapter needs to find the job again, such as the URLs that it was given. No secrets."""


Report = Callable[[Progress], Awaitable[None]]
Woken = Callable[[float], Awaitable[bool]]
"""Wait so many seconds, or until a webhook for the order has come; answers whether one has."""


class Order(msgspec.Struct, frozen=True):
    """One call of a provider, ready to be sent."""

    id: str
    """Ours: 32 hex digits, a UUID without its dashes. The same order has the same id after a crash."""
    model: Model
    prompt: PromptSpec
    """`n` is what this call is asked for: never more than the model's `per_call`."""
    report: Report
    woken: Woken
    source: Source | None = None
    webhook_url: str | None = None
    """Where this call's webhooks are to come; None: this Easel has no public address, so there is only polling."""
    job_id: str | None = None
    """The vendor's, when a webhook told it although `submit` never got its answer: `find` makes a ticket of it."""


class Provider(Protocol):
    """One adapter. `models` lists what it offers, retired ones too; the first that is not retired is its default."""

    @property
    def id(self) -> str: ...

    @property
    def models(self) -> tuple[Model, ...]: ...

    @property
    def missing_setting(self) -> str | None:
        """The setting to set before this provider can be used, or None when it is ready."""

    @property
    def credential(self) -> str:
        """A name for the key in use that tells nothing of it (a short hash): limits and pauses are per credential."""

    @property
    def limits(self) -> Limits: ...

    @property
    def is_paid(self) -> bool:
        """Whether sending an order again may cost money: if not, the machine may simply do so."""

    @property
    def result_hosts(self) -> frozenset[str]:
        """Where pictures may be downloaded from: `cdn.example`, `*.cdn.example` for all below it, `*` for anywhere."""

    @property
    def own_origin(self) -> str | None:
        """The base URL, which the operator has set: pictures may come from there even when it is a private address."""

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        """Pure. Raises CapabilityUnsupported for what the model cannot do and no adjustment can mend."""

    async def submit(self, order: Order) -> Answer | Ticket:
        """Send it, once. Raises JobError."""

    async def follow(self, ticket: Ticket, order: Order) -> Answer:
        """Wait for what was accepted; asked again after a crash, and for fresh URLs. Raises JobError."""

    async def find(self, order: Order) -> Ticket | None:
        """After a crash in the middle of `submit`: the order's ticket, or None when it surely was not accepted.

        Raises OutcomeUnknown when nobody can tell.
        """

    async def cancel(self, ticket: Ticket) -> None:
        """Ask them to stop; that it is too late is fine. Raises JobError when they cannot be reached."""

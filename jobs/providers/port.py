"""What a provider is: something that turns a prompt into the bytes of pictures.

The contract, for every adapter: `generate` either returns at least one picture or raises a `JobError`; it reports
through `report` and checks nothing else; it may be cancelled (`asyncio.CancelledError`) at any await and then leaves
nothing running. Bytes come back as they came from the provider: checking them is the runner's work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

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
    min_side_px: int = 64
    max_side_px: int = 2048
    max_images: int = 1
    seed: bool = False
    negative_prompt: bool = False
    previous_image: bool = False
    price_usd: float = 0.0
    """Per picture."""
    as_of: str | None = None
    """The day the row was checked, `YYYY-MM-DD`."""
    retired_at: str | None = None
    replacement: str | None = None


class Progress(msgspec.Struct, frozen=True):
    """One step of a generation. `preview` is a small encoded picture (WebP or JPEG), shown and never stored."""

    percent: int
    message: str
    step: int | None = None
    steps: int | None = None
    preview: bytes | None = None


class Picture(msgspec.Struct, frozen=True):
    """One picture as the provider made it, and the seed it says it used."""

    content: bytes
    seed: int | None = None


Report = Callable[[Progress], Awaitable[None]]


class Provider(Protocol):
    """One adapter. `models` lists what it offers; the first is its default."""

    @property
    def id(self) -> str: ...

    @property
    def models(self) -> tuple[Model, ...]: ...

    @property
    def missing_setting(self) -> str | None:
        """The setting to set before this provider can be used, or None when it is ready."""

    async def generate(self, model: Model, prompt: PromptSpec, report: Report) -> list[Picture]:
        """Make `prompt.n` pictures. Raises JobError."""

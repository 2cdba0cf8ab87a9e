"""The provider that is always there: no key, no network, no cost. It draws in a child process (`jobs/images/studio`).

The same prompt, seed and size give the same bytes.
"""

from __future__ import annotations

import asyncio
import math
import re
import secrets
from collections.abc import Awaitable, Callable

from jobs.errors import CapabilityUnsupported, ProviderFailed
from jobs.images.sandbox import PictureWorkers
from jobs.images.studio.sketch import Sketch
from jobs.images.wire import StepPainted
from jobs.providers.port import Answer, Limits, Model, Order, Picture, Plan, Progress, PromptSpec, Report, Ticket

STUDIO = Model(id="studio-1", label="Studio 1, built in", max_images=4, seed=True)

DEFAULT_SIDE_PX = 1024
WIDEST_RATIO = 4.0  # at the default area the long side is then max_side_px
SIDE_STEP_PX = 8
LARGEST_SEED = 2**53  # what JSON carries exactly
PACE_S = 1.5  # long enough to watch a picture come, short enough not to wait for it


class LocalProvider:
    id = "local"
    models: tuple[Model, ...] = (STUDIO,)
    missing_setting: str | None = None
    credential = "local"
    limits = Limits()
    is_paid = False
    result_hosts: frozenset[str] = frozenset()
    own_origin: str | None = None

    def __init__(
        self,
        pictures: PictureWorkers,
        pace_s: float = PACE_S,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`pace_s` is the least time one picture takes to appear; the drawing itself does not wait for it."""
        self._pictures = pictures
        self._pace_s = pace_s
        self._pause = pause

    def plan(self, model: Model, prompt: PromptSpec) -> Plan:
        if not 1 <= prompt.n <= model.max_images:
            raise CapabilityUnsupported(f"{model.label} makes 1 to {model.max_images} pictures a run, not {prompt.n}.")
        if prompt.seed is not None and abs(prompt.seed) + prompt.n > LARGEST_SEED:
            raise CapabilityUnsupported("The seed is too large. Use a whole number below 9 000 000 000 000 000.")
        size_of(model, prompt)
        return Plan(estimate_usd=0.0)

    async def submit(self, order: Order) -> Answer:
        prompt = order.prompt
        self.plan(order.model, prompt)
        width_px, height_px = size_of(order.model, prompt)
        first_seed = secrets.randbelow(2**32) if prompt.seed is None else prompt.seed
        words = ", ".join((prompt.base_prompt, *prompt.style_modifiers))
        pictures = []
        for number in range(prompt.n):
            sketch = Sketch(prompt=words, seed=first_seed + number, width_px=width_px, height_px=height_px)
            content = await self._draw(sketch, number, prompt.n, order.report)
            pictures.append(Picture(content=content, seed=sketch.seed))
        return Answer(tuple(pictures), cost_usd=0.0)

    async def follow(self, ticket: Ticket, order: Order) -> Answer:  # noqa: ARG002 - it answers at once
        raise ProviderFailed("There is no such drawing.", code="PROVIDER_JOB_LOST")

    async def find(self, order: Order) -> None:  # noqa: ARG002
        return None

    async def cancel(self, ticket: Ticket) -> None:
        """A drawing ends with the call that asked for it."""

    async def _draw(self, sketch: Sketch, number: int, total: int, report: Report) -> bytes:
        steps: asyncio.Queue[StepPainted | None] = asyncio.Queue()
        drawing = asyncio.create_task(self._pictures.draw(sketch, steps.put_nowait))
        drawing.add_done_callback(lambda _: steps.put_nowait(None))
        try:
            while (step := await steps.get()) is not None:
                await report(_progress(step, number, total))
                await self._pause(self._pace_s / step.steps)
            return await drawing
        finally:
            drawing.cancel()
            await asyncio.wait([drawing])


def size_of(model: Model, prompt: PromptSpec) -> tuple[int, int]:
    """Width and height in pixels. `size` goes before `aspect_ratio`. Raises CapabilityUnsupported."""
    if prompt.size:
        return _size_from(model, prompt.size)
    if prompt.aspect_ratio:
        return _size_in_ratio(model, prompt.aspect_ratio)
    return DEFAULT_SIDE_PX, DEFAULT_SIDE_PX


def _size_from(model: Model, size: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,5})[x×]([0-9]{1,5})", size.strip().lower())
    width_px, height_px = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(model.min_side_px <= side <= model.max_side_px for side in (width_px, height_px)):
        raise CapabilityUnsupported(
            f"{model.label} cannot draw the size {size[:40]!r}. Use width x height, such as 1024x768, with sides from "
            f"{model.min_side_px} to {model.max_side_px} pixels."
        )
    return width_px, height_px


def _size_in_ratio(model: Model, aspect_ratio: str) -> tuple[int, int]:
    """About as many pixels as the default square."""
    found = re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,4})?):([0-9]{1,4}(?:\.[0-9]{1,4})?)", aspect_ratio.strip())
    across, down = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not (across and down and 1 / WIDEST_RATIO <= across / down <= WIDEST_RATIO):
        raise CapabilityUnsupported(
            f"{model.label} cannot draw the aspect ratio {aspect_ratio[:40]!r}. Use width:height, such as 16:9, from "
            f"1:{WIDEST_RATIO:g} to {WIDEST_RATIO:g}:1."
        )
    stretch = math.sqrt(across / down)
    width_px, height_px = (
        round(side / SIDE_STEP_PX) * SIDE_STEP_PX for side in (DEFAULT_SIDE_PX * stretch, DEFAULT_SIDE_PX / stretch)
    )
    return width_px, height_px


def _progress(step: StepPainted, number: int, total: int) -> Progress:
    return Progress(
        percent=round(100 * (number + step.step / step.steps) / total),
        message=step.message if total == 1 else f"Picture {number + 1} of {total}: {step.message}",
        step=step.step,
        steps=step.steps,
        preview=step.preview,
    )

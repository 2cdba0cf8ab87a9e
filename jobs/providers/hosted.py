"""What adapters share whose vendor queues orders and answers with addresses: logs, places in line, pictures in JSON."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any, Final

from jobs.errors import ProviderFailed
from jobs.providers.at_once import decoded
from jobs.providers.http import Reply, Vendor
from jobs.providers.port import Order, Picture, Progress, Source

MAX_DEPTH: Final = 6  # of an answer's JSON; none is known that nests deeper than 3
TOO_LATE: Final = frozenset({400, 404, 405, 409, 410, 422, 501})  # nothing (left) to cancel

# tqdm's line: " 45%|████▌     | 9/20 [00:02<00:02,  4.41it/s]"
_BAR = re.compile(r"([0-9]{1,3})%\|[^|\n]{0,200}\|\s*([0-9]{1,6})/([0-9]{1,6})")
_POLICY = re.compile(
    r"nsfw|safety|moderat|sensitive|content.policy|prohibited|banned|not allowed by|\(E005\)", re.IGNORECASE
)


class Rising:
    """Progress that never runs backwards, whatever bars a log holds. What says nothing new is not reported."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._last = (0, "")

    async def report(self, percent: int, message: str, step: int | None = None, steps: int | None = None) -> None:
        percent = max(self._last[0], min(percent, 99))
        if (percent, message) != self._last:
            self._last = (percent, message)
            await self._order.report(Progress(percent, message, step, steps))

    async def report_log(self, log: str) -> None:
        """The last bar of a log, if there is one that is not behind."""
        bars = _BAR.findall(log[-20_000:])
        percent, step, steps = map(int, bars[-1]) if bars else (0, 0, 0)
        if steps and percent >= self._last[0]:
            await self.report(percent, f"Step {step} of {steps}", step, steps)
        else:
            await self.report(self._last[0], "Under way")


def in_line(place: int) -> str:
    """`place` counts from 0: `3rd in line` for 2."""
    number = place + 1
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return "Next in line" if number == 1 else f"{number}{ending} in line"


def is_policy(words: str) -> bool:
    """Whether a failure's words are those of a content filter. Vendors have no code for it here."""
    return _POLICY.search(words) is not None


def data_url(source: Source) -> str:
    return f"data:{source.content_type};base64,{base64.b64encode(source.content).decode()}"


def pictures_in(value: Any, seed: int | None = None) -> tuple[Picture, ...]:
    """Every address and every base64 picture, in order, wherever in an answer's JSON."""
    return tuple(_pictures_in(value, seed, MAX_DEPTH))


def _pictures_in(value: Any, seed: int | None, depth: int) -> Iterator[Picture]:
    if isinstance(value, str) and re.match(r"https?://", value):
        yield Picture(url=value, seed=seed)
    elif isinstance(value, str) and value.startswith("data:image/"):
        content = decoded(value)
        if content:
            yield Picture(content=content, seed=seed)
    elif isinstance(value, dict | list) and depth:
        for part in value.values() if isinstance(value, dict) else value:
            yield from _pictures_in(part, seed, depth - 1)


def counted(pictures: tuple[Picture, ...], order: Order) -> tuple[str, ...]:
    """What there is to say of how many came."""
    asked = order.prompt.n
    return (f"{len(pictures)} of {asked} pictures came.",) if len(pictures) < asked else ()


def whole(value: object) -> int | None:
    """A seed or a count, if it is one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def lost(vendor: Vendor, reply: Reply) -> ProviderFailed:
    return ProviderFailed(
        f"{vendor.name} does not know this job any more. Look there for what became of it, or run it again.",
        code="PROVIDER_JOB_LOST",
        charged="unknown",
        said=vendor.said(reply),
    )


def check_cancelled(vendor: Vendor, reply: Reply) -> None:
    """Raises JobError when the wish was not heard; that it came too late is fine."""
    if not 200 <= reply.status < 300 and reply.status not in TOO_LATE:
        raise vendor.refusal(reply, is_order=False)

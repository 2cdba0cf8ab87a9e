"""How often a thing is tried, and how long to wait in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec
import structlog

from canvas.errors import EaselError

T = TypeVar("T")
log = structlog.get_logger(__name__)

Sleep = Callable[[float], Awaitable[None]]


class Patience(msgspec.Struct, frozen=True):
    """Pauses double from `first_s` to `longest_s`, each cut by up to a half: those that failed together part."""

    calls: int = 3
    """How often an order is sent, all in all, when a provider has surely not accepted it."""
    steps: int = 5
    """How often a download or a write is tried: that costs nothing but time."""
    first_s: float = 5.0
    longest_s: float = 60.0
    rate_limit_s: float = 900.0
    """How long providers may ask one run to wait, altogether."""
    deadline_s: float = 1800.0
    """How long an order may take: the slowest provider's queue; past it nobody is waiting any more."""

    def pause_s(self, tries: int, jitter: Callable[[], float] = random.random) -> float:
        """After so many tries."""
        longest_s: float = min(self.longest_s, self.first_s * 2 ** (tries - 1))
        return longest_s * (0.5 + jitter() / 2)


Passing = Callable[[EaselError], bool]
"""Whether an error may pass by itself."""


async def patiently(
    act: Callable[[], Awaitable[T]], passing: Passing, pauses_s: Iterable[float], sleep: Sleep = asyncio.sleep
) -> T:
    """One try more than there are pauses, for what may be repeated without cost (JB17)."""
    for pause_s in pauses_s:
        try:
            return await act()
        except EaselError as error:
            if not passing(error):
                raise
            log.warning("run.tries_again", reason=error.detail, cause=repr(error.__cause__), pause_s=pause_s)
        await sleep(pause_s)
    return await act()

"""Waiting for a job at somebody else's: asking often if that is all there is, seldom beside webhooks, at once if told.

Time passes in `order.woken` alone: whoever gives that gives the clock.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import msgspec

from jobs.errors import (
    ContentPolicy,
    JobError,
    NoImageReturned,
    OutcomeUnknown,
    PollTimeout,
    ProviderFailed,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
)
from jobs.providers.port import Answer, Order

MAX_FAILURES: Final = 5  # in a row; one of them is a hiccup
LONGEST_PAUSE_S: Final = 60.0
SLOWING: Final = 1.5

Look = Callable[[], Awaitable[Answer | None]]
"""Ask once, report progress; None: it is not done. Raises JobError."""

_OF_THE_JOB = (ContentPolicy, NoImageReturned, ProviderFailed, OutcomeUnknown, PollTimeout)


class Pace(msgspec.Struct, frozen=True):
    """How often a provider is asked."""

    every_s: float = 5.0
    """When it cannot report by itself."""
    looks: int = 60
    """As many are without an answer, then it is a PollTimeout. Beside a webhook the machine's deadline decides."""
    expected_s: float = 10.0
    """How long a picture usually takes: beside a webhook the first look is after twice that."""


async def follow(look: Look, order: Order, name: str, pace: Pace) -> Answer:
    """`name` as people read it. Looks first and waits then: after a restart the job may have ended long ago.

    Whatever goes wrong with a *question* says nothing of the order, which was accepted: it is never "not charged".
    """
    failures = 0
    for pause_s in _pauses(order, pace):
        wait_s = pause_s
        try:
            answer = await look()
            failures = 0
            if answer is not None:
                return answer
        except RateLimited as error:
            wait_s = max(pause_s, error.retry_after_s or 0.0)
        except (ProviderUnavailable, ProviderTimeout) as error:
            failures += 1
            if failures == MAX_FAILURES:
                error.charged = "unknown"
                raise
            wait_s = max(pause_s, error.retry_after_s or 0.0, min(LONGEST_PAUSE_S, pause_s * 2.0 ** (failures - 1)))
        except JobError as error:
            if not isinstance(error, _OF_THE_JOB) and error.charged == "no":
                error.charged = "unknown"
            raise
        await order.woken(wait_s)
    raise PollTimeout(f"{name} is not done in time. A picture that comes later is not lost there.", charged="unknown")


def _pauses(order: Order, pace: Pace) -> Iterator[float]:
    if order.webhook_url is None:
        return itertools.repeat(pace.every_s, pace.looks)
    return _slower(2 * pace.expected_s)


def _slower(pause_s: float) -> Iterator[float]:
    while True:
        yield min(LONGEST_PAUSE_S, pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * SLOWING)

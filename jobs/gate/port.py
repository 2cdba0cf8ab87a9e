"""The gate before every provider: how many orders a credential may have under way, how often it may send, and when not.

It is kept per credential, because that is what providers count by: two workers with one key share one allowance. It is
no record of anything: the database knows what was sent. Losing all of it costs exactness for a minute and nothing else.
"""

from __future__ import annotations

import math
from typing import Protocol

from jobs.providers.port import Limits

PLACE_S = 60.0  # several heartbeats: a busy worker keeps its places, a dead one's come back within a minute
FULL_S = 2.0  # how soon to ask again when all places are taken: nobody knows when one is left
WINDOW_S = 60.0
PAUSE_S = {"PROVIDER_QUOTA": 900.0}
"""How long a pause lasts, by its code. A quota renews itself or is topped up, so one order every 15 minutes may look;
a refused key does not mend itself: that pause lasts until `resume`, or until another key (so another credential) is
set."""


class Gate(Protocol):
    """Never raises for a store that is away: it then lets one order at a time through, per process and credential."""

    async def enter(self, credential: str, limits: Limits, order_id: str) -> float:
        """0: the order has a place and may be sent now, once. Otherwise the seconds to wait before asking again."""

    async def hold(self, credential: str, order_id: str) -> None:
        """Keep an order's place for another `PLACE_S`; to be told at least twice in that time.

        A place that was lost is taken again, whatever the limits say: the order is under way, and counts.
        """

    async def leave(self, credential: str, order_id: str) -> None:
        """Give the place back. An order that has none may leave, too."""

    async def penalise(self, credential: str, seconds: float) -> None:
        """Nobody enters for so long (a 429). A longer penalty that is already there stays."""

    async def pause(self, credential: str, provider: str, code: str) -> None:
        """Nothing more is to be sent with this credential; `enter` does not look at it, `paused` tells."""

    async def paused(self, credential: str) -> str | None:
        """The code it was paused with."""

    async def resume(self, credential: str) -> None: ...


def allowance(requests_per_minute: float) -> tuple[int, float]:
    """So many entries in any so many seconds.

    A log of the last entries and not a steady drip (GCRA): the pictures of one run may all go at once, which a drip
    without a burst forbids and one with a burst pays for by a minute with more than was allowed.
    """
    return max(1, math.floor(requests_per_minute)), WINDOW_S * max(1.0, 1 / requests_per_minute)

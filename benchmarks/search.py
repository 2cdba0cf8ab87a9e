"""The load that passes as often as not, from tries that each pass or fail. No I/O.

After each try, Bayes' rule says how likely every load is to be the limit, and the next try is made at the mean of them
(Watson and Pelli, QUEST: a Bayesian adaptive psychometric method, 1983): big steps as long as little is known, small
ones later, and each try counts, the first as the last. The largest load that passed would be a matter of luck.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import accumulate
from math import exp, log
from statistics import fmean
from typing import Generic, TypeVar

import msgspec

LARGEST = 400_000
GRID = 0.01
"""Between two loads that are told apart, as a logarithm: 1 %."""
AWAY = log(1.5)
"""How far the limit is expected from where the search begins, one standard deviation."""
BLUR = 0.06
"""How soon failures become passes below the limit: at 6 % less, three in four pass. The machine is that uneven."""
ODD = 0.04
"""Of all tries: they say nothing about the load, as something else has disturbed them."""
BETWEEN = 0.95
WARM_UPS = 3
"""Tries at half the load that do not count, of a server just started: Hocuspocus carries twice as much after them."""
T = TypeVar("T")


class Limit(msgspec.Struct, Generic[T], frozen=True):
    load: int
    """Passes as often as not."""
    seen: T
    """At the load that passed and is nearest to it."""
    least: int
    most: int
    """It is between these with 95 % certainty, as far as the tries tell."""
    looks: int

    @property
    def is_lower_bound(self) -> bool:
        """It may lie higher: no larger load is asked for."""
        return self.most >= LARGEST

    def on_a_core(self, slowness: float) -> "Limit[T]":
        """What it would be had the core been so many times as slow."""
        load, least, most = (max(1, round(each / slowness)) for each in (self.load, self.least, self.most))
        return Limit(load, self.seen, least, most if self.most < LARGEST else LARGEST, self.looks)

    @classmethod
    def given(cls, load: int, seen: T) -> "Limit[T]":
        """Nobody has searched for it."""
        return cls(load, seen, load, load, 1)


class Search(Generic[T]):
    """For the limit of one server, which is expected around `start`."""

    def __init__(self, start: int) -> None:
        self._loads = [index * GRID for index in range(int(log(LARGEST) / GRID) + 2)]  # their logarithms
        self._likely = [exp(-(((load - log(start)) / AWAY) ** 2) / 2) for load in self._loads]
        self._passed: list[tuple[float, T]] = []
        self._looks = 0
        self.load = start
        """To be tried next."""

    def note(self, has_passed: bool, seen: T, load: float | None = None) -> None:
        """What came of a try at `load`, or at another one."""
        tried = log(load or self.load)
        self._looks += 1
        if has_passed:
            self._passed.append((tried, seen))
        for index, limit in enumerate(self._loads):
            passes = ODD / 2 + (1 - ODD) / (1 + exp(max(-50.0, min(50.0, (tried - limit) / BLUR))))
            self._likely[index] *= passes if has_passed else 1 - passes
        total = sum(self._likely)
        self._likely = [each / total for each in self._likely]
        middle = sum(likely * load for likely, load in zip(self._likely, self._loads, strict=True))
        self.load = max(1, min(LARGEST, round(exp(middle))))

    def limit(self) -> Limit[T] | None:
        """None when nothing has passed."""
        if not self._passed:
            return None
        _, seen = min(self._passed, key=lambda each: abs(each[0] - log(self.load)))
        tail = (1 - BETWEEN) / 2
        return Limit(self.load, seen, self._below(tail), self._below(1 - tail), self._looks)

    def _below(self, share: float) -> int:
        """The load that the limit is below with this certainty."""
        place = bisect_left(list(accumulate(self._likely)), share)
        return min(LARGEST, round(exp(self._loads[min(place, len(self._loads) - 1)])))


def in_turn(
    starts: Sequence[int],
    serving: Callable[[int], AbstractContextManager[Callable[[int], tuple[bool, T]]]],
    *,
    looks: int,
    servers: int,
    warm_ups: int = WARM_UPS,
    pace_of: Callable[[T], float],
    is_late: Callable[[], bool],
) -> list[Limit[T] | None]:
    """Every entry's limit, by so many tries at each, in turn: what disturbs the machine for a while disturbs them all.

    `serving` starts the server of the entry at a place; what it yields is called with each load. Each entry has so many
    `servers`, one after the other. The first are always started, further ones unless it is late. `pace_of` a try is how
    long the same work took the server's core meanwhile (0: not known): limits are of a core at their mean, and each
    try is at what is right for the pace of the one before it.
    """
    searches, paces = [Search[T](start) for start in starts], list[float]()
    for number in range(servers):
        if number and is_late():
            break
        with ExitStack() as stack:
            runs = [stack.enter_context(serving(place)) for place in range(len(starts))]
            for _ in range(warm_ups):
                for run, search in zip(runs, searches, strict=True):
                    run(max(1, search.load // 2))
            for _ in range(looks // servers):
                for run, search in zip(runs, searches, strict=True):
                    load = max(1, round(search.load / (paces[-1] / paces[0] if paces else 1.0)))
                    has_passed, seen = run(load)
                    paces.append(pace_of(seen) or fmean(paces or [1.0]))
                    search.note(has_passed, seen, load * paces[-1] / paces[0])  # a slow core makes it so much more
                if is_late():
                    break
    mean = fmean(paces) / paces[0]
    return [limit and limit.on_a_core(mean) for limit in (search.limit() for search in searches)]

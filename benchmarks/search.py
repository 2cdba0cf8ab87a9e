"""The largest load that still passes: grow by what CPU is left, halve the gap; then look again around it. No I/O."""

from collections.abc import Callable, Sequence
from functools import partial
from math import isqrt, log, sqrt
from statistics import geometric_mean
from typing import Generic, TypeVar

import msgspec

LARGEST = 200_000
SMALLEST_STEP, LARGEST_STEP = 1.2, 2.5
STEP = 1.06
T = TypeVar("T")


class Attempt(msgspec.Struct, frozen=True):
    has_passed: bool
    cpu: float
    """Share of its core that the server used."""


def highest(attempt: Callable[[int], Attempt], start: int, tolerance: float, *, is_quadratic: bool = False) -> int:
    """The largest load found to pass, within a factor of `tolerance`; 0 when not even 1 does.

    `is_quadratic`: work grows with the square of the load, as in a room where everybody hears everybody.
    """
    low, load = 0, start
    while load <= LARGEST:
        made = attempt(load)
        if not made.has_passed:
            break
        low, load = load, _next(load, made.cpu, is_quadratic=is_quadratic)
    high = load
    while high - low > 1 and (low == 0 or high / low > tolerance):
        middle = max(low + 1, isqrt(low * high)) if low else high // 2
        if attempt(middle).has_passed:
            low = middle
        else:
            high = middle
    return low


def _next(load: int, cpu: float, *, is_quadratic: bool) -> int:
    room = 0.97 / max(0.05, cpu)
    return int(load * max(SMALLEST_STEP, min(LARGEST_STEP, sqrt(room) if is_quadratic else room))) + 1


class Limit(msgspec.Struct, Generic[T], frozen=True):
    load: int
    """Passes as often as not."""
    seen: T
    """At the load that passed and is nearest to it."""
    least: int
    most: int
    """Between these it was looked at."""
    looks: int

    @classmethod
    def given(cls, load: int, seen: T) -> "Limit[T]":
        """Nobody has searched for it."""
        return cls(load, seen, load, load, 1)


class Staircase(Generic[T]):
    """A step up after a pass and a step down after a failure, around the load that passes as often as not.

    The mean of where it went from its first turn on (Dixon, Mood: A method for obtaining and analyzing sensitivity
    data, 1948) varies less than the largest load that passed, which is a matter of luck near the limit.
    """

    def __init__(self, start: int) -> None:
        self.load = start
        """To be looked at next."""
        self._looks: list[tuple[int, bool, T]] = []

    def note(self, has_passed: bool, seen: T) -> None:
        """What was seen at `load`."""
        load = self.load
        self._looks.append((load, has_passed, seen))
        if has_passed:
            self.load = min(LARGEST, max(load + 1, round(load * STEP)))
        else:
            self.load = max(1, min(load - 1, round(load / STEP)))

    def limit(self) -> Limit[T] | None:
        """None when nothing has passed."""
        passed = [(load, seen) for load, has_passed, seen in self._looks if has_passed]
        if not passed:
            return None
        outcomes = [has_passed for _, has_passed, _ in self._looks]
        if all(outcomes):
            levels = [passed[-1][0]]
        else:
            turn = outcomes.index(not outcomes[0])
            levels = [*(load for load, _, _ in self._looks[turn:]), self.load]
        middle = geometric_mean(levels)
        _, seen = min(passed, key=lambda each: abs(log(each[0] / middle)))
        return Limit(round(middle), seen, min(levels), max(levels), len(self._looks))


def in_turn(
    starts: Sequence[int],
    run: Callable[[int, int], tuple[bool, T]],
    cpu: Callable[[T], float],
    *,
    tolerance: float,
    looks: int,
    is_late: Callable[[], bool],
    is_quadratic: bool = False,
) -> list[Limit[T] | None]:
    """Each entry's limit is searched; then every one is looked at near its own so many times, in turn.

    `run` gets an entry's place and a load. The first look is always made, a further one unless it is late.
    """

    def probe(place: int, load: int) -> Attempt:
        if is_late():  # the search ends with what has passed so far
            return Attempt(False, 1.0)
        has_passed, seen = run(place, load)
        return Attempt(has_passed, cpu(seen))

    stairs = [
        Staircase[T](highest(partial(probe, place), start, tolerance, is_quadratic=is_quadratic))
        for place, start in enumerate(starts)
    ]
    for number in range(looks):
        if number and is_late():
            break
        for place, stair in enumerate(stairs):
            if stair.load:  # nothing passed in the search: nothing to look at
                stair.note(*run(place, stair.load))
    return [stair.limit() for stair in stairs]

"""The largest load that still passes: grow by what CPU is left, then halve the gap. No I/O."""

from collections.abc import Callable
from math import isqrt, sqrt
from typing import TypeVar

import msgspec

LARGEST = 200_000
SMALLEST_STEP, LARGEST_STEP = 1.2, 2.5
STEP_DOWN = 0.94
CONFIRMATIONS = 6
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


def confirmed(
    load: int, runs: int, run: Callable[[int], tuple[bool, T]], order: Callable[[T], float]
) -> tuple[int, T] | None:
    """Step down until most of `runs` long runs pass: that load and the run in the middle; None when none does."""
    for _ in range(CONFIRMATIONS):
        if load < 1:
            return None
        outcomes = [run(load) for _ in range(runs)]
        if sum(has_passed for has_passed, _ in outcomes) * 2 > runs:
            seen = sorted((outcome for _, outcome in outcomes), key=order)
            return load, seen[len(seen) // 2]
        load = min(load - 1, int(load * STEP_DOWN))
    return None

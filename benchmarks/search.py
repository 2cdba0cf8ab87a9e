"""The largest load that still passes: grow by what CPU is left, halve the gap; then look again nearby. No I/O."""

from collections.abc import Callable, Sequence
from functools import partial
from math import isqrt, sqrt
from typing import TypeVar

import msgspec

LARGEST = 200_000
SMALLEST_STEP, LARGEST_STEP = 1.2, 2.5
NEARBY_STEP = 1.06
NEARBY_TRIES = 5
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


def nearby(
    load: int, run: Callable[[int], tuple[bool, T]], is_late: Callable[[], bool] = lambda: False
) -> tuple[int, T] | None:
    """Up in small steps while it passes, or down until it does: the largest that passed, and what was seen at it.

    None when nothing does within reach, or before it is late.
    """
    best: tuple[int, T] | None = None
    goes_up: bool | None = None
    for number in range(NEARBY_TRIES):
        if load < 1 or (number and is_late()):
            break
        has_passed, seen = run(load)
        if has_passed:
            best = (load, seen)
        goes_up = has_passed if goes_up is None else goes_up
        if has_passed != goes_up:
            break
        load = max(load + 1, round(load * NEARBY_STEP)) if goes_up else min(load - 1, round(load / NEARBY_STEP))
        if load > LARGEST:
            break
    return best


def in_rounds(
    starts: Sequence[int],
    run: Callable[[int, int], tuple[bool, T]],
    cpu: Callable[[T], float],
    *,
    tolerance: float,
    rounds: int,
    is_late: Callable[[], bool],
    is_quadratic: bool = False,
) -> list[list[tuple[int, T]]]:
    """Each entry's limit is searched; then rounds in which every one is looked at again near its own, in turn.

    `run` gets an entry's place and a load. Answers what each entry carried in each round, least first. The first
    round is always made, a further one unless it is late.
    """

    def probe(place: int, load: int) -> Attempt:
        if is_late():  # the search ends with what has passed so far
            return Attempt(False, 1.0)
        has_passed, seen = run(place, load)
        return Attempt(has_passed, cpu(seen))

    limits = [
        highest(partial(probe, place), start, tolerance, is_quadratic=is_quadratic)
        for place, start in enumerate(starts)
    ]
    found: list[list[tuple[int, T]]] = [[] for _ in starts]
    for number in range(rounds):
        if number and is_late():
            break
        for place, limit in enumerate(limits):
            best = nearby(limit, partial(run, place), is_late)
            if best is not None:
                found[place].append(best)
    for carried in found:
        carried.sort(key=lambda each: each[0])
    return found

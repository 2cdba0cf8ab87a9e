from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise, repeat
from math import log
from statistics import mean, stdev
from typing import NamedTuple

import pytest

from benchmarks.search import LARGEST, WARM_UPS, Limit, Search, in_turn

LOOKS = 14


class Tried(NamedTuple):
    load: int
    pace_us: float


Limits = list[Limit[Tried] | None]


def searched(limit: float, start: int, looks: int = LOOKS) -> Search[int]:
    """For the limit of a server that carries exactly so much."""
    search = Search[int](start)
    for _ in range(looks):
        search.note(search.load <= limit, search.load)
    return search


@pytest.mark.parametrize("limit", [1, 2, 7, 75, 460, 4_570, 100_000])
@pytest.mark.parametrize("wrong", [0.3, 1, 3])
def test_limit_is_found_from_either_side(limit: int, wrong: float) -> None:
    found = searched(limit, max(1, min(LARGEST, round(limit * wrong)))).limit()

    assert found is not None
    assert found.looks == LOOKS
    assert limit / 1.08 - 0.5 <= found.load <= limit * 1.08 + 1
    assert found.least <= found.load <= found.most
    assert found.least - 0.5 <= limit <= found.most + 0.5
    assert found.seen <= limit, "what is shown is of a load that passed"


def test_steps_are_big_as_long_as_little_is_known() -> None:
    search, tried = Search[int](100), [100]
    for _ in range(LOOKS):
        search.note(search.load <= 1_000, search.load)
        tried.append(search.load)

    steps = [abs(log(after / before)) for before, after in pairwise(tried)]
    assert steps[0] > 0.3
    assert max(steps[-4:]) < 0.12


def test_what_carries_everything_is_asked_for_no_more_than_the_largest_load() -> None:
    found = searched(10 * LARGEST, 150_000).limit()

    assert found is not None
    assert 0.9 * LARGEST < found.load <= found.most <= LARGEST
    assert found.is_lower_bound


def test_nothing_that_passed_is_no_limit() -> None:
    assert Search[int](100).limit() is None
    assert searched(0, 100).limit() is None


def test_one_odd_try_moves_the_limit_by_little() -> None:
    undisturbed, disturbed = searched(1_000, 900), Search[int](900)
    for number in range(LOOKS):
        disturbed.note(disturbed.load <= 1_000 and number != 2, disturbed.load)

    assert abs(log(disturbed.load / undisturbed.load)) < 0.06


def test_limit_varies_less_than_the_largest_load_that_passed() -> None:
    """Of a server that carries 1,000, give or take 10 % from one try to the next."""
    seed = 7
    luck, limits, largest = random.Random(seed), list[int](), list[int]()
    for _ in range(100):
        search, passed = Search[None](800), [1]
        for _ in range(LOOKS):
            has_passed = search.load <= 1_000 * luck.gauss(1, 0.1)
            passed += [search.load] if has_passed else []
            search.note(has_passed, None)
        limits.append(search.load)
        largest.append(max(passed))

    assert abs(mean(limits) / 1_000 - 1) < 0.02, seed
    assert stdev(limits) < min(60, stdev(largest)), seed


class Servers:
    """Each carries so much on a core at its usual pace; who was started, and what was asked of it."""

    def __init__(self, *limits: int, pace_us: Iterable[float] = repeat(20.0)) -> None:
        self.started = list[int]()
        self.asked = list[tuple[int, int]]()
        self._limits = limits
        self._pace_us = iter(pace_us)

    @contextmanager
    def serving(self, place: int) -> Iterator[Callable[[int], tuple[bool, Tried]]]:
        self.started.append(place)

        def run(load: int) -> tuple[bool, Tried]:
            self.asked.append((place, load))
            pace_us = next(self._pace_us)
            return load * pace_us / 20 <= self._limits[place], Tried(load, pace_us)

        yield run


def limits(servers: Servers, starts: list[int], *, looks: int, count: int = 1, late_after: int = LARGEST) -> Limits:
    return in_turn(
        starts,
        servers.serving,
        looks=looks,
        servers=count,
        pace_of=lambda tried: tried.pace_us,
        is_late=lambda: len(servers.asked) >= late_after,
    )


def test_all_entries_are_tried_in_turn_once_they_are_warm() -> None:
    servers = Servers(50, 80)

    found = limits(servers, [40, 40], looks=6, count=2)

    assert [limit and limit.looks for limit in found] == [6, 6]
    assert servers.started == [0, 1, 0, 1]
    assert [place for place, _ in servers.asked] == [0, 1] * (2 * WARM_UPS + 6)
    assert {load for _, load in servers.asked[: 2 * WARM_UPS]} == {20}


def test_limit_is_of_a_core_at_its_mean_pace_however_it_changes() -> None:
    """A server that carries 1,000 on a core that takes 20 µs for what it takes 16 to 30 for here."""
    seed = 11
    luck = random.Random(seed)
    paces = [luck.uniform(16, 30) for _ in range(WARM_UPS + 40)]

    (found,) = limits(Servers(1_000, pace_us=paces), [900], looks=40)

    assert found is not None
    assert abs(found.load * mean(paces[WARM_UPS:]) / 20 / 1_000 - 1) < 0.02, seed


def test_search_that_has_become_late_ends_with_what_it_knows() -> None:
    servers = Servers(LARGEST)

    (found,) = limits(servers, [100], looks=9, late_after=WARM_UPS + 2)

    assert len(servers.asked) == WARM_UPS + 2
    assert found is not None
    assert (found.seen.load, found.looks) == (servers.asked[-1][1], 2)


def test_first_servers_are_tried_however_late_it_is() -> None:
    assert limits(Servers(0), [10], looks=3, late_after=0) == [None]
    (found,) = limits(Servers(LARGEST), [10], looks=4, count=2, late_after=0)
    assert found is not None
    assert found.looks == 1


def test_given_load_was_not_searched() -> None:
    assert Limit.given(7, "seen") == Limit(load=7, seen="seen", least=7, most=7, looks=1)

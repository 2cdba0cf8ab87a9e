from __future__ import annotations

import random
from itertools import pairwise
from math import log
from statistics import mean, stdev

import pytest

from benchmarks.search import LARGEST, Limit, Search, in_turn

LOOKS = 14


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
    assert limit / 1.08 - 0.5 <= found.load <= limit * 1.08 + 0.5
    assert found.least <= found.load <= found.most
    assert found.least - 0.5 <= limit <= found.most + 0.5
    assert found.seen <= limit, "what is shown is of a load that passed"


def test_steps_are_big_as_long_as_little_is_known() -> None:
    search, tried = Search[int](100), [100]
    for _ in range(LOOKS):
        search.note(search.load <= 1_000, search.load)
        tried.append(search.load)

    steps = [abs(log(after / before)) for before, after in pairwise(tried)]
    assert steps[0] > 0.5
    assert max(steps[-4:]) < 0.1


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


def test_all_entries_are_tried_in_turn_from_the_first_on() -> None:
    limits, asked = [50, 80], list[int]()

    def run(place: int, load: int) -> tuple[bool, int]:
        asked.append(place)
        return load <= limits[place], load

    found = in_turn([40, 40], run, looks=5, is_late=lambda: False)

    assert [limit and limit.looks for limit in found] == [5, 5]
    assert asked == [0, 1] * 5


def test_search_that_has_become_late_ends_with_what_it_knows() -> None:
    asked = list[int]()

    def run(_: int, load: int) -> tuple[bool, int]:
        asked.append(load)
        return True, load

    [found] = in_turn([100], run, looks=9, is_late=lambda: len(asked) >= 2)

    assert asked[0] == 100
    assert len(asked) == 2
    assert found is not None
    assert (found.seen, found.looks) == (asked[1], 2)


def test_first_try_is_made_however_late_it_is() -> None:
    assert in_turn([10], lambda _, load: (False, load), looks=3, is_late=lambda: True) == [None]
    [found] = in_turn([10], lambda _, load: (True, load), looks=3, is_late=lambda: True)
    assert found is not None
    assert found.looks == 1


def test_given_load_was_not_searched() -> None:
    assert Limit.given(7, "seen") == Limit(load=7, seen="seen", least=7, most=7, looks=1)

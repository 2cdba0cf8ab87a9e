from __future__ import annotations

import random
from itertools import groupby
from statistics import mean, stdev

import pytest

from benchmarks.search import LARGEST, Attempt, Limit, Staircase, highest, in_turn


class Server:
    """Carries so much; its CPU grows with the load, or with its square."""

    def __init__(self, limit: int, power: int = 1) -> None:
        self.limit, self.power = limit, power
        self.asked: list[int] = []

    def __call__(self, load: int) -> Attempt:
        self.asked.append(load)
        return Attempt(load <= self.limit, min(1.0, (load / self.limit) ** self.power))


@pytest.mark.parametrize("limit", [1, 2, 7, 75, 460, 4_570, 100_000])
def test_search_finds_the_limit_within_its_tolerance(limit: int) -> None:
    server = Server(limit)

    found = highest(server, 32, 1.07)

    assert limit / 1.07 - 1 <= found <= limit
    assert len(server.asked) < 25


def test_search_of_a_quadratic_load_steps_by_the_root_of_what_is_left() -> None:
    server = Server(400, power=2)

    found = highest(server, 32, 1.07, is_quadratic=True)

    assert 373 <= found <= 400
    assert server.asked[:2] == [32, 81]


def test_search_says_zero_when_nothing_passes() -> None:
    assert highest(lambda _: Attempt(False, 1.0), 32, 1.07) == 0


def looked(start: int, outcomes: str) -> Staircase[int]:
    """`+` for a pass."""
    stair = Staircase[int](start)
    for outcome in outcomes:
        stair.note(outcome == "+", stair.load)
    return stair


def test_staircase_goes_up_after_a_pass_and_down_after_a_failure() -> None:
    assert [looked(100, "+-+-++"[:count]).load for count in range(7)] == [100, 106, 100, 106, 100, 106, 112]
    assert looked(LARGEST, "+").load == LARGEST
    assert looked(1, "-").load == 1
    assert looked(1, "+").load == 2


def test_limit_is_the_mean_of_where_the_staircase_went_from_its_first_turn_on() -> None:
    limit = looked(100, "+++-+-").limit()  # 100 106 112 119 112 119, and 112 would be next

    assert limit == Limit(load=115, seen=112, least=112, most=119, looks=6)


def test_limit_that_never_turned_is_the_largest_that_passed() -> None:
    assert looked(LARGEST, "+++").limit() == Limit(LARGEST, LARGEST, LARGEST, LARGEST, 3)
    assert looked(100, "++").limit() == Limit(106, 106, 106, 106, 2)


@pytest.mark.parametrize("outcomes", ["", "-", "---"])
def test_nothing_that_passed_is_no_limit(outcomes: str) -> None:
    assert looked(100, outcomes).limit() is None


def test_limit_varies_less_than_the_largest_load_that_passed() -> None:
    """Of a server that carries 1,000, give or take 10 % from one look to the next."""
    seed = 7
    luck, limits, largest = random.Random(seed), list[int](), list[int]()
    for _ in range(200):
        stair, passed = Staircase[None](1_000), [1]
        for _ in range(9):
            load = stair.load
            stair.note(load <= 1_000 * luck.gauss(1, 0.1), None)
            passed += [load] if stair.load > load else []
        limit = stair.limit()
        limits += [limit.load] if limit else []
        largest.append(max(passed))

    assert len(limits) > 190, seed
    assert abs(mean(limits) / 1_000 - 1) < 0.02, seed
    assert stdev(limits) < stdev(largest) < 100, seed


def test_all_entries_are_looked_at_in_turn() -> None:
    limits, asked = [50, 80], list[int]()

    def run(place: int, load: int) -> tuple[bool, int]:
        asked.append(place)
        return load <= limits[place], load

    found = in_turn([40, 40], run, lambda _: 0.9, tolerance=1.1, looks=3, is_late=lambda: False)

    assert [limit and limit.looks for limit in found] == [3, 3]
    assert [place for place, _ in groupby(asked)] == [0, 1] * 4, "each is searched, then three looks at both"


def test_when_it_is_late_before_anything_passed_nothing_is_claimed() -> None:
    found = in_turn([10], lambda _, load: (True, load), lambda _: 1.0, tolerance=1.1, looks=3, is_late=lambda: True)

    assert found == [None]


def test_search_that_has_become_late_ends_with_what_has_passed() -> None:
    asked = list[int]()

    def run(_: int, load: int) -> tuple[bool, int]:
        asked.append(load)
        return True, load

    found = in_turn([100], run, lambda _: 0.5, tolerance=1.01, looks=3, is_late=lambda: len(asked) >= 2)

    assert asked == [100, 195, 195]
    assert found == [Limit(195, 195, 195, 195, 1)]

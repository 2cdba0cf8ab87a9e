from __future__ import annotations

from itertools import groupby

import pytest

from benchmarks.search import Attempt, highest, in_rounds, nearby


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


@pytest.mark.parametrize(("limit", "found"), [(100, 100), (105, 100), (106, 106), (120, 119), (1_000, 126)])
def test_second_look_goes_up_while_it_passes(limit: int, found: int) -> None:
    assert nearby(100, lambda load: (load <= limit, load)) == (found, found)


@pytest.mark.parametrize(("limit", "found"), [(99, 94), (90, 89), (80, 79)])
def test_second_look_goes_down_until_it_passes(limit: int, found: int) -> None:
    assert nearby(100, lambda load: (load <= limit, load)) == (found, found)


@pytest.mark.parametrize("load", [0, 1, 100])
def test_second_look_gives_up(load: int) -> None:
    assert nearby(load, lambda _: (False, 0)) is None


def test_rounds_go_over_all_entries_in_turn_and_the_least_comes_first() -> None:
    limits, asked = [50, 80], list[int]()

    def run(place: int, load: int) -> tuple[bool, int]:
        asked.append(place)
        return load <= limits[place] + len(asked) % 3, load

    found = in_rounds([40, 40], run, lambda _: 0.9, tolerance=1.1, rounds=3, is_late=lambda: False)

    assert [len(carried) for carried in found] == [3, 3]
    assert all(carried == sorted(carried) for carried in found)
    assert [place for place, _ in groupby(asked)] == [0, 1] * 4, "each is searched, then three rounds over both"


def test_when_it_is_late_before_anything_passed_nothing_is_claimed() -> None:
    found = in_rounds([10], lambda _, load: (True, load), lambda _: 1.0, tolerance=1.1, rounds=3, is_late=lambda: True)

    assert found == [[]]


def test_search_that_has_become_late_ends_with_what_has_passed() -> None:
    asked = list[int]()

    def run(_: int, load: int) -> tuple[bool, int]:
        asked.append(load)
        return True, load

    found = in_rounds([100], run, lambda _: 0.5, tolerance=1.01, rounds=3, is_late=lambda: len(asked) >= 2)

    assert asked == [100, 195, 195]
    assert found == [[(195, 195)]]

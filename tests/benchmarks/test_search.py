from __future__ import annotations

import pytest

from benchmarks.search import Attempt, confirmed, highest


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


def test_confirmation_steps_down_until_most_runs_pass() -> None:
    outcomes = {100: [False, True, False], 94: [True, False, True]}

    def run(load: int) -> tuple[bool, float]:
        passed = outcomes[load].pop()
        return passed, float(load)

    assert confirmed(100, 3, run, lambda p99: p99) == (94, 94.0)


def test_confirmation_reports_the_run_in_the_middle() -> None:
    p99s = iter([30.0, 10.0, 20.0])

    assert confirmed(50, 3, lambda _: (True, next(p99s)), lambda p99: p99) == (50, 20.0)


def test_confirmation_gives_up() -> None:
    assert confirmed(3, 1, lambda _: (False, 0.0), lambda p99: p99) is None

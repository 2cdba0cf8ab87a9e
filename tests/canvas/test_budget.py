from __future__ import annotations

import pytest

from canvas.budget import BURST, JUNK_COST, PATIENCE_S, PUSH_BURST, PUSH_RATE, RATE, Budget
from canvas.errors import LimitReached


def test_a_drag_and_a_cursor_at_240_hz_for_an_hour_are_never_slowed() -> None:
    """LM3"""
    budget = Budget()

    pauses = [budget.spend(1.02, tick / 480) for tick in range(480 * 600)]

    assert max(pauses) == 0


def test_a_burst_of_large_messages_is_let_through() -> None:
    """LM3: a paste of 2 MB, and the largest message a few times over"""
    budget = Budget()

    assert [budget.spend(1 + size / 8192, 0.0) for size in (2_000_000, 4 << 20, 4 << 20, 4 << 20)] == [0, 0, 0, 0]


def test_who_says_more_is_paused_until_it_fits() -> None:
    """LM3"""
    budget = Budget()
    for _ in range(int(BURST)):
        assert budget.spend(1, 0.0) == 0

    pause = budget.spend(1001, 0.0)

    assert pause == pytest.approx(1001 / RATE)
    assert budget.spend(1, pause + 0.002) == 0


def flooded(budget: Budget, seconds: float, cost: float, start: float = 0.0) -> int:
    """Sends as fast as it is read. How many messages came through."""
    now, count = start, 0
    while now < start + seconds:
        now += budget.spend(cost, now)
        count += 1
    return count


def test_a_flood_comes_through_at_the_allowed_rate() -> None:
    """LM3"""
    assert flooded(Budget(), 20, 1) == pytest.approx(BURST + 20 * RATE, rel=0.02)
    assert flooded(Budget(), 20, 1 + JUNK_COST) == pytest.approx((BURST + 20 * RATE) / (1 + JUNK_COST), rel=0.02)


def test_pushes_are_slowed_for_ever_and_never_end_it() -> None:
    """LM3, CL6: a script that works as fast as it may"""
    budget = Budget()
    now, count = 0.0, 0
    while now < 4 * PATIENCE_S:
        now += budget.spend(1, now, is_push=True)
        count += 1

    assert count == pytest.approx(PUSH_BURST + 4 * PATIENCE_S * PUSH_RATE, rel=0.02)


def test_who_keeps_at_it_is_sent_away() -> None:
    """CL6"""
    with pytest.raises(LimitReached):
        flooded(Budget(), PATIENCE_S + 1, 1)


def test_a_breath_between_bursts_is_enough() -> None:
    """CL6"""
    budget = Budget()

    for burst in range(20):
        flooded(budget, 5, 1, start=burst * 10.0)

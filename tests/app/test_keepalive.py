"""Pings of quiet sockets, by a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any, cast

from app.keepalive import BEATS, Keepalive

INTERVAL_S = 20.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def call_later(self, delay: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._calls, (self.now + delay, next(self._numbers), call))

    def move(self, to: float) -> None:
        while self._calls and self._calls[0][0] <= to + 1e-6:
            self.now, _, call = heapq.heappop(self._calls)
            call()
        self.now = to

    @property
    def is_idle(self) -> bool:
        return not self._calls


class Quiet:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.pinged_at: list[float] = []

    def heartbeat(self, payload: bytes) -> None:
        assert len(payload) == 4
        self.pinged_at.append(round(self._clock.now, 6))


def test_everybody_is_pinged_once_in_an_interval_and_not_all_at_once() -> None:
    clock = Clock()
    keepalive = Keepalive(cast(asyncio.AbstractEventLoop, cast(Any, clock)), INTERVAL_S)
    everybody: list[Quiet] = []
    for beat in range(BEATS):
        clock.move(beat * INTERVAL_S / BEATS)
        everybody.append(Quiet(clock))
        keepalive.add(everybody[-1])
    clock.move(100.0)

    for number, quiet in enumerate(everybody):
        came_at = number * INTERVAL_S / BEATS
        assert quiet.pinged_at[:3] == [came_at + INTERVAL_S * (turn + 1) for turn in range(3)]
    assert len({quiet.pinged_at[0] for quiet in everybody}) == BEATS


def test_who_has_gone_is_not_pinged_and_an_empty_house_has_no_clock() -> None:
    clock = Clock()
    keepalive = Keepalive(cast(asyncio.AbstractEventLoop, cast(Any, clock)), INTERVAL_S)
    gone = Quiet(clock)
    keepalive.add(gone).discard(gone)
    clock.move(60.0)
    assert gone.pinged_at == []
    assert clock.is_idle

    back = Quiet(clock)
    keepalive.add(back)
    clock.move(60.0 + INTERVAL_S)
    assert back.pinged_at == [60.0 + INTERVAL_S]

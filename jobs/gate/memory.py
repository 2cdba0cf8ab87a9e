"""The gate of one process: what stands in for Redis while it is away, and in tests."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from jobs.gate.port import FULL_S, PAUSE_S, PLACE_S, allowance
from jobs.providers.port import Limits


@dataclass
class _Credential:
    places: dict[str, float] = field(default_factory=dict)
    """Until when, by order."""
    entries: deque[float] = field(default_factory=deque)
    shut_until: float = 0.0
    pause: tuple[str, float] | None = None
    """Code and end."""


class MemoryGate:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._credentials: defaultdict[str, _Credential] = defaultdict(_Credential)

    async def enter(self, credential: str, limits: Limits, order_id: str) -> float:
        now, state = self._clock(), self._credentials[credential]
        if state.shut_until > now:
            return state.shut_until - now
        state.places = {order: until for order, until in state.places.items() if until > now}
        others = len(state.places.keys() - {order_id})
        if limits.concurrency is not None and others >= limits.concurrency:
            return FULL_S
        if limits.requests_per_minute is not None:
            count, window_s = allowance(limits.requests_per_minute)
            if len(state.entries) >= count and (wait_s := state.entries[-count] + window_s - now) > 0:
                return wait_s
            state.entries.append(now)
            while len(state.entries) > count:
                state.entries.popleft()
        state.places[order_id] = now + PLACE_S
        return 0.0

    async def hold(self, credential: str, order_id: str) -> None:
        self._credentials[credential].places[order_id] = self._clock() + PLACE_S

    async def leave(self, credential: str, order_id: str) -> None:
        self._credentials[credential].places.pop(order_id, None)

    async def penalise(self, credential: str, seconds: float) -> None:
        state = self._credentials[credential]
        state.shut_until = max(state.shut_until, self._clock() + seconds)

    async def pause(self, credential: str, provider: str, code: str) -> None:  # noqa: ARG002 - the log's, in Redis
        self._credentials[credential].pause = (code, self._clock() + PAUSE_S.get(code, float("inf")))

    async def paused(self, credential: str) -> str | None:
        pause = self._credentials[credential].pause
        return pause[0] if pause is not None and pause[1] > self._clock() else None

    async def resume(self, credential: str) -> None:
        self._credentials[credential].pause = None

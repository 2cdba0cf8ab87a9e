"""Pings for quiet sockets (RFC 6455 §5.5.2): one clock for all, where a timer each would weigh half a KiB."""

from __future__ import annotations

import asyncio
import secrets
from typing import Protocol
from weakref import WeakKeyDictionary

BEATS = 20  # shares of an interval: with 10 000 sockets, 500 pings in a row


class Pinged(Protocol):
    def heartbeat(self, payload: bytes) -> None:
        """Ping with this, or end it when the last one was not answered."""


class Keepalive:
    """Everybody is pinged once in an interval, in the beat in which they came."""

    def __init__(self, loop: asyncio.AbstractEventLoop, interval_s: float) -> None:
        self._loop = loop
        self._beat_s = interval_s / BEATS
        self._shares: list[set[Pinged]] = [set() for _ in range(BEATS)]
        self._beat = 0
        self._is_running = False

    def add(self, pinged: Pinged) -> set[Pinged]:
        """Answers the set to take it from when it ends."""
        share = self._shares[self._beat]
        share.add(pinged)
        if not self._is_running:
            self._is_running = True
            self._loop.call_later(self._beat_s, self._go_round)
        return share

    def _go_round(self) -> None:
        self._beat = (self._beat + 1) % BEATS
        payload = secrets.token_bytes(4)
        for pinged in tuple(self._shares[self._beat]):
            pinged.heartbeat(payload)
        self._is_running = any(self._shares)
        if self._is_running:
            self._loop.call_later(self._beat_s, self._go_round)


_keepalives: WeakKeyDictionary[asyncio.AbstractEventLoop, Keepalive] = WeakKeyDictionary()


def keepalive_of(loop: asyncio.AbstractEventLoop, interval_s: float) -> Keepalive:
    """The interval is that of the loop's first socket: a process runs one server."""
    keepalive = _keepalives.get(loop)
    if keepalive is None:
        keepalive = _keepalives[loop] = Keepalive(loop, interval_s)
    return keepalive

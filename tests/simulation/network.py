"""What lies between the processes and the people: sockets that stall and break, a relay that keeps no promise."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from canvas.relay.port import Hint, Listener
from tests.simulation.clock import Process

MAX_HELD_BYTES = 2 << 10  # what a socket that is not read may have waiting: little, so that it happens
NOTICE_S = 8.0  # until a server sees that the other end of a socket has gone without a word
GONE = 1006

_encode = msgspec.json.Encoder().encode
_hint: msgspec.json.Decoder[Hint] = msgspec.json.Decoder(Hint)


class End(Protocol):
    """The browser's end of a wire."""

    def heard(self, wire: Wire, payload: bytes) -> None: ...

    def closed(self, wire: Wire, code: int) -> None: ...


class Lane:
    """One direction: in order, each message with its own delay, none before another."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._last = 0.0

    def carry(self, deliver: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        # Never a round number: what comes at the same instant on two wires would come in an order of Python's sets.
        delay = self._random.expovariate(1 / 0.02) if self._random.random() < 0.2 else self._random.uniform(1e-3, 3e-3)
        self._last = max(self._last + 1e-6, loop.time() + delay)
        loop.call_at(self._last, deliver)


class Wire:
    """A WebSocket. `send` and `close` are the server's end, `say` and `hang_up` the browser's."""

    def __init__(self, name: str, end: End, counts: Counter[str]) -> None:
        self.name = name
        self.client: tuple[str, str] | None = None
        """Who has said hello on it."""
        self.is_open = True
        self.is_stalled = False
        """Nothing comes through, and neither end is told."""
        self.inbox: asyncio.Queue[str | None] = asyncio.Queue()
        self.when_closed: Callable[[], None] = lambda: None
        self._end = end
        self._down, self._up = Lane(name + "/down"), Lane(name + "/up")
        self._held: deque[bytes] = deque()
        self._said: deque[str] = deque()
        self._close_code: int | None = None
        self._counts = counts
        self._is_heard = True
        self._is_cut = False

    # The server's end

    @property
    def is_slow(self) -> bool:
        return self.is_stalled

    def send(self, payload: bytes, *, is_kept: bool = False) -> bool:
        if self._is_cut:
            return True  # the system takes it, and it goes nowhere
        if not self.is_open:
            raise AssertionError(f"{self.name}: nothing is sent after a close")
        if not self.is_stalled:
            self._deliver(payload)
            return True
        if not is_kept and self._held and sum(map(len, self._held)) + len(payload) > MAX_HELD_BYTES:
            self._counts["slow clients"] += 1
            return False
        self._held.append(payload)
        return True

    def close(self, code: int, reason: str) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self._counts[f"close {code}"] += 1
        self.when_closed()
        self._close_code = code
        if not self.is_stalled:
            self._down.carry(lambda: self._break_off(code))

    def _deliver(self, payload: bytes) -> None:
        self._down.carry(lambda: self._end.heard(self, payload) if self._is_heard else None)

    def _break_off(self, code: int) -> None:
        if self._is_heard:
            self._is_heard = False
            self._end.closed(self, code)

    # The browser's end

    def say(self, text: str) -> None:
        if self.is_stalled:
            self._said.append(text)
        else:
            self._up.carry(lambda: self.inbox.put_nowait(text) if self.is_open else None)

    def hang_up(self) -> None:
        """The browser has gone: the server hears of it, of a stalled socket late."""
        self._is_heard = False
        if self.is_stalled:
            asyncio.get_running_loop().call_later(NOTICE_S, self.inbox.put_nowait, None)
        else:
            self._up.carry(lambda: self.inbox.put_nowait(None))

    # The weather

    def stall(self) -> None:
        self.is_stalled = True

    def flow(self) -> None:
        """What was held comes through, in order."""
        self.is_stalled = False
        while self._held:
            self._deliver(self._held.popleft())
        while self._said:
            self.say(self._said.popleft())
        if (code := self._close_code) is not None:
            self._down.carry(lambda: self._break_off(code))

    def cut(self) -> None:
        """The connection breaks: both ends hear of it, if anything still comes through."""
        self.inbox.put_nowait(None)
        self.close(GONE, "")
        self._is_cut = True


class FaultyRelay:
    """Carries hints between processes, encoded; loses, doubles and delays them."""

    def __init__(self, seed: str, counts: Counter[str]) -> None:
        self._random = random.Random(seed)
        self._counts = counts
        self._subscriptions: list[tuple[RelayOf, Listener, contextvars.Context]] = []
        self.is_calm = False
        self.generation = 0

    def flush(self) -> None:
        """Every hint that is on its way is lost."""
        self.generation += 1

    def subscribe(self, of: RelayOf, listener: Listener) -> Callable[[], None]:
        subscription = (of, listener, contextvars.copy_context())
        self._subscriptions.append(subscription)
        return lambda: self._subscriptions.remove(subscription) if subscription in self._subscriptions else None

    def publish(self, payload: bytes) -> None:
        for of, listener, context in tuple(self._subscriptions):
            fate = 1.0 if self.is_calm else self._random.random()
            if fate < 0.08:
                self._counts["hints lost"] += 1
                continue
            times = 2 if fate < 0.16 else 1
            self._counts["hints doubled"] += times - 1
            for _ in range(times):
                self._carry(of, listener, context, payload, is_late=fate > 0.9 and not self.is_calm)

    def _carry(
        self, of: RelayOf, listener: Listener, context: contextvars.Context, payload: bytes, *, is_late: bool
    ) -> None:
        delay = self._random.uniform(0.1, 3.0) if is_late else self._random.expovariate(1 / 0.004)
        self._counts["hints late"] += is_late
        generation = self.generation

        def deliver() -> None:
            if generation == self.generation and not of.is_cut_off and of.is_alive:
                listener(_hint.decode(payload))

        asyncio.get_running_loop().call_later(delay, deliver, context=context)


class RelayOf:
    """One process's connection to the relay."""

    def __init__(self, relay: FaultyRelay, process: Process) -> None:
        self._relay = relay
        self._process = process
        self.is_cut_off = False
        self.is_alive = True

    def publish(self, workflow_id: str, hint: Hint) -> None:
        if self.is_alive and not self.is_cut_off:
            self._relay.publish(_encode(hint))

    async def subscribe(self, workflow_id: str, listener: Listener) -> Callable[[], None]:
        await asyncio.sleep(0)
        return self._relay.subscribe(self, listener)

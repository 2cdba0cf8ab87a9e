"""Pushes that wait for a commit: a queue a session and turns between them, so that nobody waits for another's flood.

What it costs to add one or to take a commit's worth does not depend on how many wait (PU12).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Iterable, Iterator
from typing import Any

from canvas.push import Push

MAX_BATCH = 400  # pushes in one commit: what PostgreSQL stores in some 20 ms
MAX_BATCH_BYTES = 1 << 20
MAX_WAITING_BYTES = 4 << 20  # of one session, with what is being stored: past it, it is not read
PUSH_BYTES = 1 << 10  # what a push takes in memory beside its text


class Waiting:
    def __init__(self) -> None:
        self._queues: dict[object, deque[Push]] = {}
        self._turns: deque[object] = deque()
        """Keys of the queues, in the order in which they are served."""
        self._suspects: set[Push] = set()
        """Pushes of a batch that failed for one of them: each goes alone, before all others."""
        self._alone: deque[Push] = deque()
        self._held_bytes: Counter[str] = Counter()
        """Of each session, what it has pushed and has not been answered, whether it waits or is being stored."""
        self._freed = asyncio.Event()
        self._came: asyncio.Future[None] | None = None
        """Who waits for a push, and none has come yet."""

    def __bool__(self) -> bool:
        return bool(self._alone or self._turns)

    def __iter__(self) -> Iterator[Push]:
        yield from self._alone
        for queue in self._queues.values():
            yield from queue

    def add(self, push: Push) -> None:
        if push.session_id is not None:  # a request's push is nobody's flood
            self._held_bytes[push.session_id] += push.size_bytes + PUSH_BYTES
        self._queue_of(push, is_first=False).append(push)
        self._wake()

    @property
    def has_suspects(self) -> bool:
        return bool(self._alone)

    async def until_some(self, or_done: asyncio.Future[Any]) -> None:
        """Or until the future is done."""
        while not self and not or_done.done():
            self._came = asyncio.get_running_loop().create_future()
            or_done.add_done_callback(self._wake)
            try:
                await self._came
            finally:
                or_done.remove_done_callback(self._wake)
                self._came = None

    def _wake(self, _: object = None) -> None:
        if self._came is not None and not self._came.done():
            self._came.set_result(None)

    def take(self, most: int = MAX_BATCH, most_bytes: int = MAX_BATCH_BYTES) -> list[Push]:
        """What goes into the next commit: one of each session in turn, each session's own in their order."""
        if self._alone:
            return [self._alone.popleft()]
        taken: list[Push] = []
        while self._turns and len(taken) < most:
            key = self._turns[0]
            queue = self._queues[key]
            most_bytes -= queue[0].size_bytes
            if taken and most_bytes < 0:
                break
            taken.append(queue.popleft())
            self._turns.popleft()
            if queue:
                self._turns.append(key)
            else:
                del self._queues[key]
        return taken

    def put_back(self, pushes: list[Push]) -> None:
        """They go first again, in their order."""
        for push in reversed(pushes):
            if push in self._suspects:
                self._alone.appendleft(push)
                continue
            self._queue_of(push, is_first=True).appendleft(push)

    def isolate(self, pushes: list[Push]) -> None:
        """Back they go, each alone."""
        self._suspects.update(pushes)
        self.put_back(pushes)

    def settle(self, pushes: Iterable[Push]) -> None:
        """They have been answered, or will not be."""
        for push in pushes:
            self._suspects.discard(push)
            if push.session_id is not None:
                self._held_bytes[push.session_id] -= push.size_bytes + PUSH_BYTES
                if self._held_bytes[push.session_id] <= 0:
                    del self._held_bytes[push.session_id]
        self._freed.set()
        self._freed = asyncio.Event()

    def remove(self, pushes: set[Push]) -> None:
        """Those that wait were answered meanwhile."""
        left = [push for push in self if push not in pushes]
        self._queues.clear()
        self._turns.clear()
        self._alone.clear()
        self.settle(pushes)
        self.put_back(left)

    def _is_full(self, session_id: str) -> bool:
        return self._held_bytes[session_id] > MAX_WAITING_BYTES

    def space_for(self, session_id: str) -> Awaitable[None] | None:
        """What to await before another push of the session is read: who floods waits for what it has sent."""
        return self._space_for(session_id) if self._is_full(session_id) else None

    async def _space_for(self, session_id: str) -> None:
        while self._is_full(session_id):
            await self._freed.wait()

    def _queue_of(self, push: Push, *, is_first: bool) -> deque[Push]:
        key = push.session_id or push
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
            (self._turns.appendleft if is_first else self._turns.append)(key)
        return queue

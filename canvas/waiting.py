"""Pushes that wait for a commit: a queue a session and turns between them, so that nobody waits for another's flood.

What it costs to add one or to take a commit's worth does not depend on how many wait (PU12).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator

from canvas.push import Push

MAX_BATCH = 400  # pushes in one commit: what PostgreSQL stores in some 20 ms
MAX_BATCH_BYTES = 1 << 20
MAX_WAITING_BYTES = 4 << 20  # of one session: past it, it is not read
PUSH_BYTES = 1 << 10  # what a push takes in memory beside its text


class _Queue:
    __slots__ = ("pushes", "size_bytes")

    def __init__(self) -> None:
        self.pushes: deque[Push] = deque()
        self.size_bytes = 0


class Waiting:
    def __init__(self) -> None:
        self._queues: dict[object, _Queue] = {}
        self._turns: deque[object] = deque()
        """Keys of the queues, in the order in which they are served."""
        self._suspects: set[Push] = set()
        """Pushes of a batch that failed for one of them: each goes alone, before all others."""
        self._alone: deque[Push] = deque()
        self._taken = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._alone or self._turns)

    def __iter__(self) -> Iterator[Push]:
        yield from self._alone
        for queue in self._queues.values():
            yield from queue.pushes

    def add(self, push: Push) -> None:
        queue = self._queue_of(push, is_first=False)
        queue.pushes.append(push)
        queue.size_bytes += push.size_bytes + PUSH_BYTES

    def take(self) -> list[Push]:
        """What goes into the next commit: one of each session in turn, each session's own in their order."""
        self._taken.set()
        self._taken = asyncio.Event()
        if self._alone:
            return [self._alone.popleft()]
        taken: list[Push] = []
        room_bytes = MAX_BATCH_BYTES
        while self._turns and len(taken) < MAX_BATCH:
            key = self._turns[0]
            queue = self._queues[key]
            room_bytes -= queue.pushes[0].size_bytes
            if taken and room_bytes < 0:
                break
            push = queue.pushes.popleft()
            queue.size_bytes -= push.size_bytes + PUSH_BYTES
            taken.append(push)
            self._turns.popleft()
            if queue.pushes:
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
            queue = self._queue_of(push, is_first=True)
            queue.pushes.appendleft(push)
            queue.size_bytes += push.size_bytes + PUSH_BYTES

    def isolate(self, pushes: list[Push]) -> None:
        """Back they go, each alone."""
        self._suspects.update(pushes)
        self.put_back(pushes)

    def settle(self, pushes: list[Push]) -> None:
        """They have been answered."""
        self._suspects.difference_update(pushes)

    def remove(self, pushes: set[Push]) -> None:
        left = [push for push in self if push not in pushes]
        self._queues.clear()
        self._turns.clear()
        self._alone.clear()
        self._suspects -= pushes
        for push in left:
            if push in self._suspects:
                self._alone.append(push)
            else:
                self.add(push)

    def _is_full(self, session_id: str) -> bool:
        queue = self._queues.get(session_id)
        return queue is not None and queue.size_bytes > MAX_WAITING_BYTES

    def space_for(self, session_id: str) -> Awaitable[None] | None:
        """What to await before another push of the session is read: who floods waits for what it has sent."""
        return self._space_for(session_id) if self._is_full(session_id) else None

    async def _space_for(self, session_id: str) -> None:
        while self._is_full(session_id):
            await self._taken.wait()

    def _queue_of(self, push: Push, *, is_first: bool) -> _Queue:
        key = push.session_id or push  # a request's push is nobody's flood
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue()
            (self._turns.appendleft if is_first else self._turns.append)(key)
        return queue

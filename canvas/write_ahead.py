"""Batches that are decided by what a room knows and written if the store finds that true: no lock is held meanwhile.

While the store takes one, the next is decided as if the one before were stored already. If it is not, neither is the
next: the store writes a batch only where the log stands where it was decided (`CanvasStore.append`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import structlog

from canvas.numbers import Client
from canvas.push import Batch, Past, Push
from canvas.room import Room
from canvas.store.port import CanvasStore
from canvas.waiting import MAX_BATCH, MAX_BATCH_BYTES, Waiting

log = structlog.get_logger(__name__)

BREATH = 25  # pushes that are applied in a row, some 2 ms: then whoever else waits has a turn
PACE_S = 0.005
"""Of a busy room's commits, from one to the next: each is a statement, and a write to everybody in the room."""
NOT_YET = datetime.min.replace(tzinfo=UTC)  # the time of what is not stored


class RoomLock(asyncio.Lock):
    """One that can say whether somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted_by = 0

    @property
    def is_wanted(self) -> bool:
        return self._wanted_by > 0

    async def acquire(self) -> Literal[True]:
        self._wanted_by += 1
        try:
            return await super().acquire()
        finally:
            self._wanted_by -= 1


class WriteAhead:
    """The caller holds the room's lock, and calls `Room.committed` for each batch that `write` answers."""

    def __init__(self, room: Room, store: CanvasStore, waiting: Waiting, lock: RoomLock) -> None:
        self.is_alone = True
        """So it was at the last commit: nobody else had written to the log since the one before."""
        self._room = room
        self._store = store
        self._waiting = waiting
        self._lock = lock
        self._next: Batch | None = None
        self._decided_by = 0
        """Roles: how often they had changed when `_next` was begun."""
        self._numbers: dict[Client, int] = {}
        """Of the clients of the batch before and of `_next`: used, once they are stored."""
        self._began = 0.0
        """When the last statement left, by the loop's clock."""

    @property
    def decided(self) -> list[Push]:
        """What was decided while the last batch was written: it goes next, before the lock is let go."""
        return self._next.pushes if self._next is not None else []

    async def write(self, pushes: list[Push], tell: Callable[[], None]) -> Batch | None:
        """`tell` is called when the statement has left: PostgreSQL works meanwhile.

        None: nothing was written, for anything that surprises; only who holds the store's lock can settle it. So it is,
        too, where there is nothing to write: what is answered without the store could be long out of date.
        """
        room, storing = self._room, None
        batch, self._next = self._next, None
        if batch is not None and self._decided_by != room.role_changes:
            room.abandon()
            batch = None
        try:
            if batch is None:
                batch = await self._decide(pushes)
            if batch is None:
                return None
            room.prepared(batch)
            self.is_alone = not batch.is_empty
            if self.is_alone:
                self._began = asyncio.get_running_loop().time()
                storing = asyncio.ensure_future(self._store.append(room.workflow_id, room.epoch, room.seq, batch))
                asyncio.get_running_loop().call_soon(tell)
                self._next = await self._decide_next(batch, storing)
                self.is_alone = await storing
        except BaseException:
            if storing is not None:
                storing.cancel()
            self._give_up()
            raise
        if self.is_alone:
            return batch
        self._give_up()
        return None

    def _give_up(self) -> None:
        self._waiting.put_back(self.decided)
        self._next = None
        self._room.abandon()

    async def _decide(self, pushes: list[Push]) -> Batch | None:
        batch = Batch(self._room.seq)
        return batch if self.is_alone and await self._decide_into(batch, pushes, {}) else None

    async def linger(self, tell: Callable[[], None]) -> None:
        """Until the next commit is due, what comes goes into it as well. `tell` is called if that is not yet."""
        loop, due_at = asyncio.get_running_loop(), self._began + PACE_S
        if self._next is None or loop.time() >= due_at:
            return
        tell()
        due: asyncio.Future[None] = loop.create_future()
        timer = loop.call_at(due_at, due.set_result, None)
        try:
            self._next = await self._decide_until(due, self._next)
        except BaseException:
            self._give_up()
            raise
        finally:
            timer.cancel()

    async def _decide_next(self, batch: Batch, storing: asyncio.Future[bool]) -> Batch | None:
        """What comes while `batch` is stored. Whoever wants the lock has it before what comes after that."""
        self._decided_by = self._room.role_changes
        self._numbers = {
            push.client: push.author.client_seq or 0 for push, _ in batch.numbered if push.client is not None
        }
        return await self._decide_until(storing, Batch(batch.seq), after=batch)

    async def _decide_until(
        self, done: asyncio.Future[Any], following: Batch, *, after: Batch | None = None
    ) -> Batch | None:
        """`following`, with what comes meanwhile; None when it comes to nothing. `after` is not stored yet."""
        taken = following.pushes
        room_bytes = MAX_BATCH_BYTES - sum(push.size_bytes for push in taken)
        try:
            while room_bytes > 0 and len(taken) < MAX_BATCH and not self._lock.is_wanted:
                await self._waiting.until_some(done)
                if done.done() or self._waiting.has_suspects:
                    break
                pushes = self._waiting.take(MAX_BATCH - len(taken), room_bytes)
                taken += pushes
                if not await self._decide_into(following, pushes, self._numbers):
                    self._waiting.put_back(pushes)
                    del taken[-len(pushes) :]
                    break
                room_bytes -= sum(push.size_bytes for push in pushes)
        except Exception:  # a bug that one push meets: it is found when they are decided again, each alone
            log.exception("room.deciding_broke", workflow=self._room.workflow_id)
            following = Batch(following.seq)
        if following.is_empty:
            self._room.abandon(after)
            self._waiting.put_back(taken)
            return None
        return following

    async def _decide_into(self, batch: Batch, pushes: list[Push], numbers: dict[Client, int]) -> bool:
        """False: only the store can tell what they come to. `numbers`: used by what is on its way; grows."""
        if any(push.reaches_back for push in pushes):
            return False
        ledger = self._room.numbers.ledger_for(pushes, numbers)
        if ledger is None:
            return False
        for number, push in enumerate(pushes, 1):
            self._room.decide(batch, push, ledger, Past(), NOT_YET)
            if number % BREATH == 0:
                await asyncio.sleep(0)
        numbers.update(ledger.last)
        return True

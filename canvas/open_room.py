"""A room at work in this process: its sockets, the effects it has on them, and its commits.

One lock a room: whatever moves its document or reads it to join holds it. Pushes gather while a commit is under way and
go together in the next one (group commit); only a busy room waits for a clock (PU16).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context
from datetime import datetime
from typing import Any, Protocol

import structlog

from canvas import protocol
from canvas.errors import EaselError, Invalid, NotFound, Unavailable
from canvas.metrics import COMMIT_SECONDS, COMMITS_FAILED, SLOW_CLIENT_CLOSES, TRANSACTIONS
from canvas.presence import REMOTE_EXPIRY_S
from canvas.protocol import Result, Transaction
from canvas.push import Batch, Decision, Ledger, Past, Push
from canvas.relay.port import OpsHint, Relay
from canvas.room import Answer, Close, Effect, Room, Send
from canvas.store.port import CanvasStore, Head, Lock
from canvas.waiting import Waiting
from canvas.write_ahead import BREATH, RoomLock, WriteAhead

log = structlog.get_logger(__name__)

RETRY_S = 0.25  # between commits while PostgreSQL is away


class Socket(Protocol):
    @property
    def is_slow(self) -> bool:
        """It has not taken what it was sent: frames pass it over until it has."""

    def send(self, payload: bytes, *, is_kept: bool = False) -> bool:
        """Queue a message; False when the client reads too slowly to take it. `is_kept`: do not count its bytes."""

    def close(self, code: int, reason: str) -> None: ...


class Tasks:
    """Background work of this process: kept alive, its failures logged."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, context=Context())  # or its log lines would name whoever came first
        self._running.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("canvas.task_failed", exc_info=error)

    async def finish(self) -> None:
        await asyncio.gather(*self._running, return_exceptions=True)


class OpenRoom:
    def __init__(
        self, room: Room, store: CanvasStore, relay: Relay, tasks: Tasks, has_news: Callable[[OpenRoom], None]
    ) -> None:
        self.room = room
        self.lock = RoomLock()
        self.sockets: dict[str, Socket] = {}
        self.others: dict[str, float] = {}
        """Other processes that have this room open, and when each was last heard: they are told of commits."""
        self.at_end: list[Callable[[], None]] = []
        self.access = 0
        """How often it had been changed who may do what, when this room last asked for everybody's role."""
        self.used_at = 0.0
        self.is_gone = False
        self._store = store
        self._relay = relay
        self._tasks = tasks
        self._has_news = has_news
        self.waiting = Waiting()
        self._unsure: set[Push] = set()
        """Pushes whose commit failed: it may have happened all the same."""
        self._ahead = WriteAhead(room, store, self.waiting, self.lock)
        self._answers: dict[Push, asyncio.Future[Result]] = {}
        self._untold: Batch | None = None
        """It is stored, and nobody has heard of it yet."""
        self._committer: asyncio.Task[None] | None = None
        self._healer: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        return not self.sockets and (self._committer is None or self._committer.done())

    # Effects

    def tell(self) -> None:
        """What is stored, to those who have not heard of it: before anything else is said or anybody comes in."""
        batch, self._untold = self._untold, None
        if batch is None:
            return
        self._carry_out(self.room.told(batch))
        if batch.transactions and self.others:
            self._relay.publish(self.room.workflow_id, OpsHint.of(self.room.epoch, batch.seq, batch.encoded))

    def carry_out(self, effects: Iterable[Effect]) -> None:
        self.tell()
        self._carry_out(effects)

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect)
                case Close():
                    socket = self.sockets.pop(effect.session_id, None)
                    if socket is not None:
                        socket.close(effect.code, effect.reason)
                case Answer():
                    answer = self._answers.pop(effect.push, None)
                    if answer is not None and not answer.done():
                        answer.set_result(effect.result)
        if self.room.is_dirty:
            self._has_news(self)

    def _send(self, send: Send) -> None:
        for session_id in send.session_ids:
            socket = self.sockets.get(session_id)
            if socket is not None and not socket.send(send.payload, is_kept=send.is_kept):
                SLOW_CLIENT_CLOSES.inc()
                reason = "This connection reads too slowly; it may come back and resume."
                self._drop(session_id, protocol.TOO_SLOW, reason)

    def slow(self) -> set[str]:
        return {session_id for session_id, socket in self.sockets.items() if socket.is_slow}

    def _drop(self, session_id: str | None, code: int, reason: str) -> None:
        socket = self.sockets.pop(session_id, None) if session_id is not None else None
        if socket is not None and session_id is not None:
            self.room.leave(session_id)
            socket.close(code, reason)

    def expire(self, now: float) -> None:
        """Whoever has been silent for long is not there any more."""
        self.room.presences.expire(now)
        for process in [process for process, heard_at in self.others.items() if now - heard_at > REMOTE_EXPIRY_S]:
            del self.others[process]

    def end_expired(self, now: float) -> None:
        """Close the sockets of those whose sign-in has run out."""
        sessions = self.room.sessions.values()
        for session_id in [one.id for one in sessions if one.expires_at is not None and one.expires_at <= now]:
            self._drop(session_id, protocol.SIGN_IN, "What you signed in with has expired. Sign in again.")

    def end(self, code: int, reason: str) -> None:
        """Close the room here, with everybody in it."""
        if self.is_gone:
            return
        self.tell()
        self.is_gone = True
        for stop in self.at_end:
            stop()
        for session_id in tuple(self.sockets):
            self._drop(session_id, code, reason)

    # Staying in step

    async def catch_up(self) -> Head:
        """Bring the room to the log's head, and answer it. The caller holds its lock.

        Raises NotFound, Unavailable.
        """
        self.tell()
        room = self.room
        tail = await self._store.tail(room.workflow_id, room.seq)
        if tail is None:
            self.end(protocol.DELETED, "This workflow was deleted.")
            raise NotFound("There is no such workflow.")
        self.check_epoch(tail.head.epoch)
        if tail.head.seq > room.seq and self._unsure:
            await self._settle_unsure()
        else:
            self._advance(tail.transactions)
        return tail.head

    async def _settle_unsure(self) -> None:
        """Some of the log may be what this room itself has committed: its authors hear their results, and no echo."""
        async with self._store.lock(self.room.workflow_id) as lock:
            self.check_epoch(lock.head.epoch)
            waiting = list(self.waiting)
            ledger = await lock.ledger(waiting)
            self.waiting.remove(await self._advance_under(lock, self.room.answered(waiting, ledger)))

    def check_epoch(self, epoch: str) -> None:
        """Raises Unavailable when the log is another one than this room's."""
        if epoch != self.room.epoch:
            self.end(protocol.RESYNC, "The workflow was restored from a backup.")
            raise Unavailable("The workflow was restored from a backup just now. Try again.")

    def _advance(self, transactions: list[Transaction], decisions: Iterable[Decision] = ()) -> None:
        self.tell()
        try:
            effects = self.room.advance(transactions, decisions)
        except Invalid as error:
            # This replica is wrong, not the log: everybody comes back to one that is loaded afresh.
            log.exception("room.diverged", workflow=self.room.workflow_id, seq=self.room.seq)
            self.end(protocol.RESYNC, "This copy of the workflow has to be loaded again.")
            raise Unavailable("The workflow is being loaded again. Try again.") from error
        self.carry_out(effects)

    def heal(self, hint: OpsHint | None = None) -> None:
        """The log has grown: with what a hint brought, if it is what comes next, else from the store."""
        if hint is not None and hint.first == self.room.seq + 1 and not self.lock.locked() and not self._unsure:
            try:
                self._advance(protocol.decode_transactions(hint.transactions))
            except Unavailable:
                return  # the room has ended
        elif self._healer is None or self._healer.done():
            self._healer = self._tasks.spawn(self._heal_now())

    async def _heal_now(self) -> None:
        try:
            async with self.lock:
                if not self.is_gone:
                    await self.catch_up()
        except (NotFound, Unavailable) as error:  # the room has ended, or the next poll tries again
            log.info("room.not_healed", workflow=self.room.workflow_id, code=error.code)

    # Committing

    async def answer(self, push: Push) -> Result:
        """Commit a push that came without a socket. Raises NotFound, Unavailable."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._answers[push] = answer
        self.enqueue(push)
        return await answer

    def enqueue(self, push: Push, size_bytes: int = 0) -> None:
        push.size_bytes = size_bytes
        self.waiting.add(push)
        if self._committer is None or self._committer.done():
            self._committer = self._tasks.spawn(self._commit_waiting())

    async def _commit_waiting(self) -> None:
        while self.waiting:
            pushes: list[Push] = []
            try:
                async with self.lock:
                    pushes = self.waiting.take()  # now, not before: whoever held the lock may have answered some
                    await self._commit(pushes)
                    while self._ahead.decided:
                        self._settled(pushes)
                        await self._ahead.linger(self.tell)
                        pushes = self._ahead.decided
                        await self._commit(pushes)
            except NotFound as error:
                self.end(protocol.DELETED, "This workflow was deleted.")
                self._fail(pushes, error)
            except Unavailable as error:
                # A socket's push waits for the database to come back; its number makes the second try harmless.
                # A request's caller is told, and decides.
                COMMITS_FAILED.inc()
                log.warning("room.commit_failed", workflow=self.room.workflow_id, code=error.code)
                self._fail(pushes, error)
                again = [push for push in pushes if push.session_id in self.sockets]
                self.waiting.put_back(again)
                self.waiting.settle([push for push in pushes if push not in again])
                self._unsure.update(again)
                await asyncio.sleep(RETRY_S)
            except Invalid as error:  # the database refuses what the rules let pass
                self._isolate(pushes, error)
            except Exception:  # a bug that one push meets must not stop everybody's
                log.exception("room.commit_broke", workflow=self.room.workflow_id)
                self._isolate(pushes, EaselError("Easel made a mistake with this change. It has been logged."))
            else:
                self._settled(pushes)
        self._unsure.clear()

    def _settled(self, pushes: list[Push]) -> None:
        self.waiting.settle(pushes)
        if self._unsure:
            self._unsure.intersection_update(self.waiting)

    def _isolate(self, pushes: list[Push], error: EaselError) -> None:
        """Find whose fault it was, so that the others do not pay for it: alone, a push that fails is refused."""
        if len(pushes) == 1 and pushes[0].refused is not None:  # and not even the refusal can be stored
            self._fail(pushes, error)
            self.waiting.settle(pushes)
            self._drop(
                pushes[0].session_id, protocol.RESYNC, "This change could not be answered. Come back and resume."
            )
            return
        if len(pushes) == 1:
            pushes[0].refused = error
        self.waiting.isolate(pushes)

    async def _commit(self, pushes: list[Push]) -> None:
        if not pushes:
            self.tell()
            return
        began = time.perf_counter()
        try:
            batch = await self._write(pushes)
        finally:
            self.tell()
        self.room.committed(batch)
        COMMIT_SECONDS.observe(time.perf_counter() - began)
        for outcome, count in Counter(result.outcome for _, result in batch.decisions).items():
            TRANSACTIONS.labels(outcome).inc(count)
        self._untold = batch
        if not self.waiting and not self._ahead.decided:
            self.tell()

    async def _write(self, pushes: list[Push]) -> Batch:
        """Takes from `pushes` those that turn out to be committed already."""
        batch = await self._ahead.write(pushes, self.tell) if not self._unsure else None
        return batch if batch is not None else await self._write_under_lock(pushes)

    async def _write_under_lock(self, pushes: list[Push]) -> Batch:
        self.tell()
        room = self.room
        try:
            async with self._store.lock(room.workflow_id) as lock:
                self.check_epoch(lock.head.epoch)
                self._ahead.is_alone = lock.head.seq == room.seq
                ledger = await lock.ledger(pushes)
                done = await self._advance_under(lock, room.answered(pushes, ledger))
                self.waiting.settle(done)
                pushes[:] = [push for push in pushes if push not in done]
                batch = await self._prepare(pushes, ledger, await lock.past(pushes), lock.head.at)
                if not batch.is_empty:
                    await lock.write(batch)
        except BaseException:
            room.abandon()
            raise
        return batch

    async def _prepare(self, pushes: list[Push], ledger: Ledger, past: Past, at: datetime) -> Batch:
        batch = Batch(self.room.seq)
        for number, push in enumerate(pushes, 1):
            self.room.decide(batch, push, ledger, past, at)
            if number % BREATH == 0:
                await asyncio.sleep(0)
        self.room.prepared(batch)
        return batch

    async def _advance_under(self, lock: Lock, answered: list[tuple[Push, Result]]) -> set[Push]:
        """Take in what others have committed; answers the pushes of ours that turned out to be among it."""
        if lock.head.seq <= self.room.seq:
            return set()
        self._advance(await lock.since(self.room.seq), answered)
        return {push for push, _ in answered}

    def _fail(self, pushes: Iterable[Push], error: EaselError) -> None:
        for push in pushes:
            answer = self._answers.pop(push, None)
            if answer is not None and not answer.done():
                answer.set_exception(error)

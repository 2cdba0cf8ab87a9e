"""The rooms of this process: loads them, carries their effects out, commits for them, keeps them in step with others.

One lock a room: whatever moves its document or reads it to join holds it. Pushes gather while a commit is under way and
go together in the next one (group commit without waiting for a clock).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import structlog

from canvas import protocol
from canvas.access import Role
from canvas.errors import EaselError, Invalid, NotFound, Unavailable
from canvas.ids import new_id
from canvas.protocol import Hello, Ping, Presence, Result, Resync
from canvas.relay.port import AccessHint, DeletedHint, Hint, OpsHint, PresenceHint, Relay, RunsHint
from canvas.room import Answer, Batch, Close, Effect, Push, Room, Send, Session
from canvas.store.port import CanvasStore, Lock

log = structlog.get_logger(__name__)

MAX_BATCH = 500  # pushes in one commit: what PostgreSQL takes in a few milliseconds
POLL_S = 1.0  # how late an edit of another process is when Redis is away
KEYFRAME_S = 5.0
IDLE_S = 60.0  # an empty room stays this long: longer than a page reload
RETRY_S = 0.25  # between commits while PostgreSQL is away


class Socket(Protocol):
    def send(self, payload: bytes) -> bool:
        """Queue a message; False when the client reads too slowly to take it."""

    def close(self, code: int, reason: str) -> None: ...


RolesOf = Callable[[str, list[str]], Awaitable[dict[str, Role]]]
LiveRuns = Callable[[str], Awaitable[list[dict[str, Any]]]]


class OpenRoom:
    """A room with what it takes to run it here."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.lock = asyncio.Lock()
        self.sockets: dict[str, Socket] = {}
        self.pending: list[Push] = []
        self.answers: dict[Push, asyncio.Future[Result]] = {}
        self.committer: asyncio.Task[None] | None = None
        self.healer: asyncio.Task[None] | None = None
        self.others: set[str] = set()
        """Other processes that have this room open."""
        self.stop_listening: Callable[[], None] = lambda: None
        self.used_at = 0.0
        self.is_gone = False


class Hub:
    def __init__(self, store: CanvasStore, relay: Relay, roles_of: RolesOf, live_runs: LiveRuns) -> None:
        self._store = store
        self._relay = relay
        self._roles_of = roles_of
        self._live_runs = live_runs
        self._rooms: dict[str, OpenRoom] = {}
        self._opening: dict[str, asyncio.Task[OpenRoom]] = {}
        self._process = new_id("proc")
        self._dirty = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # What the doors call

    async def join(self, workflow_id: str, socket: Socket, account: dict[str, Any], role: Role, hello: Hello) -> str:
        """Bring a socket in; answers its session id. Raises NotFound, Unavailable, Invalid (protocol)."""
        if not 1 <= len(hello.client_id) <= 64:
            raise Invalid("A clientId has 1 to 64 characters.")
        opened = await self._open(workflow_id)
        session = Session(new_id("ses"), account["id"], hello.client_id, role, account)
        async with opened.lock:
            await self._catch_up(opened)
            await self._welcome(opened, session, hello, socket)
        return session.id

    async def _welcome(self, opened: OpenRoom, session: Session, hello: Hello, socket: Socket | None) -> None:
        room, resume = opened.room, hello.resume
        can_resume = resume is not None and resume.epoch == room.epoch and 0 <= resume.seq <= room.seq
        resumption = await self._store.resumption(
            room.workflow_id,
            session.account_id,
            session.client_id,
            after=resume.seq if resume is not None and can_resume else None,
            acked=resume.acked_client_seq if resume is not None else 0,
        )
        missed = resumption.missed
        if missed is not None and resume is not None:
            missed = [transaction for transaction in missed if transaction.seq <= room.seq]
            if len(missed) != room.seq - resume.seq:  # the log has been trimmed
                missed = None
        if socket is not None:
            self._carry_out(opened, room.join(session, self._now()))
            opened.sockets[session.id] = socket
        effects = room.welcome(
            session.id,
            last_client_seq=resumption.last_client_seq,
            results=resumption.results if resume is not None else [],
            missed=missed,
        )
        self._carry_out(opened, effects)

    def leave(self, workflow_id: str, session_id: str) -> None:
        opened = self._rooms.get(workflow_id)
        if opened is not None and opened.sockets.pop(session_id, None) is not None:
            opened.room.leave(session_id)
            opened.used_at = self._now()
            self._dirty.set()

    async def receive(self, workflow_id: str, session_id: str, text: str) -> None:
        """One message of a socket that has joined."""
        opened = self._rooms.get(workflow_id)
        if opened is None or session_id not in opened.sockets:
            return
        try:
            message = protocol.decode_message(text)
        except Invalid as error:
            opened.sockets[session_id].send(protocol.error_message(error))
            return
        match message:
            case protocol.Push():
                self._enqueue(opened, opened.room.push(session_id, message.client_seq, message.ops))
            case Presence():
                self._change_presence(opened, session_id, message, len(text))
            case Ping():
                opened.sockets[session_id].send(protocol.pong_message(message.t, opened.room.seq))
            case Resync():
                await self._resync(opened, session_id)
            case Hello():
                again = Invalid("This socket has said hello already.", code="BAD_MESSAGE")
                opened.sockets[session_id].send(protocol.error_message(again))

    async def _resync(self, opened: OpenRoom, session_id: str) -> None:
        async with opened.lock:
            session = opened.room.sessions.get(session_id)
            if session is not None:
                await self._welcome(opened, session, Hello(protocol.PROTOCOL, session.client_id), None)

    def _change_presence(self, opened: OpenRoom, session_id: str, message: Presence, size: int) -> None:
        if size > protocol.MAX_PRESENCE_BYTES:
            error = Invalid("A presence message has at most 32 KiB.", code="TOO_LARGE")
            opened.sockets[session_id].send(protocol.error_message(error))
            return
        may_drag = opened.room.sessions[session_id].role != "viewer"
        opened.room.presences.change(session_id, message.set, self._now(), may_drag=may_drag)
        self._dirty.set()

    async def push(self, workflow_id: str, push: Push) -> Result:
        """Commit ops that came without a socket. Raises NotFound, Unavailable."""
        opened = await self._open(workflow_id)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        opened.answers[push] = answer
        self._enqueue(opened, push)
        return await answer

    async def read(self, workflow_id: str) -> Room:
        """The room, as fresh as the database. Read it before the next await. Raises NotFound, Unavailable."""
        opened = await self._open(workflow_id)
        async with opened.lock:
            await self._catch_up(opened)
        return opened.room

    # Opening

    async def _open(self, workflow_id: str) -> OpenRoom:
        opened = self._rooms.get(workflow_id)
        if opened is None:
            opening = self._opening.get(workflow_id)
            if opening is None:
                opening = self._opening[workflow_id] = asyncio.create_task(self._load(workflow_id))
                opening.add_done_callback(lambda _: self._opening.pop(workflow_id, None))
            opened = await asyncio.shield(opening)
        opened.used_at = self._now()
        return opened

    async def _load(self, workflow_id: str) -> OpenRoom:
        document = await self._store.load(workflow_id)
        if document is None:
            raise NotFound("There is no such workflow.")
        room = Room(workflow_id, document.head.epoch, document.head.seq, document.graph)
        opened = OpenRoom(room)
        opened.used_at = self._now()
        opened.stop_listening = await self._relay.subscribe(workflow_id, lambda hint: self._hear(opened, hint))
        room.show_runs(await self._live_runs(workflow_id))
        room.tick()
        self._rooms[workflow_id] = opened
        await self._relay.publish(workflow_id, PresenceHint(self._process, asks=True))
        return opened

    async def _catch_up(self, opened: OpenRoom) -> None:
        """Bring the room to the log's head. Holds the room's lock."""
        room = opened.room
        head = (await self._store.heads([room.workflow_id])).get(room.workflow_id)
        if head is None:
            self._end(opened, protocol.DELETED, "This workflow was deleted.")
            raise NotFound("There is no such workflow.")
        if head[0] != room.epoch:
            self._end(opened, protocol.RESYNC, "The workflow was restored from a backup.")
            raise Unavailable("The workflow was restored from a backup just now. Try again.")
        if head[1] > room.seq:
            self._carry_out(opened, room.advance(await self._store.since(room.workflow_id, room.seq)))

    def _end(self, opened: OpenRoom, code: int, reason: str) -> None:
        """Close the room here, with everybody in it."""
        opened.is_gone = True
        opened.stop_listening()
        self._rooms.pop(opened.room.workflow_id, None)
        for session_id, socket in tuple(opened.sockets.items()):
            socket.close(code, reason)
            opened.room.leave(session_id)
        opened.sockets.clear()

    # Committing

    def _enqueue(self, opened: OpenRoom, push: Push) -> None:
        opened.pending.append(push)
        if opened.committer is None or opened.committer.done():
            opened.committer = self._spawn(self._commit_pending(opened))

    async def _commit_pending(self, opened: OpenRoom) -> None:
        while opened.pending:
            pushes, opened.pending = opened.pending[:MAX_BATCH], opened.pending[MAX_BATCH:]
            try:
                async with opened.lock:
                    await self._commit(opened, pushes)
            except NotFound as error:
                self._end(opened, protocol.DELETED, "This workflow was deleted.")
                self._fail([*pushes, *opened.pending], opened, error)
                return
            except Unavailable as error:
                # A socket's push waits for the database to come back; its number makes the second try harmless.
                # A request's caller is told, and decides.
                log.warning("room.commit_failed", workflow=opened.room.workflow_id, code=error.code)
                self._fail(pushes, opened, error)
                opened.pending[:0] = [push for push in pushes if push.session_id in opened.sockets]
                await asyncio.sleep(RETRY_S)

    async def _commit(self, opened: OpenRoom, pushes: list[Push]) -> None:
        try:
            batch = await self._write(opened, pushes)
        except Invalid as error:
            # The database refused what the rules let pass. Find whose it was, so that the others do not pay for it.
            if len(pushes) == 1:
                pushes[0].refused = error
            for push in pushes:
                await self._commit(opened, [push])
            return
        self._carry_out(opened, opened.room.committed(batch))
        if batch.transactions:
            await self._relay.publish(opened.room.workflow_id, OpsHint.of(batch.transactions))

    async def _write(self, opened: OpenRoom, pushes: list[Push]) -> Batch:
        room = opened.room
        try:
            async with self._store.lock(room.workflow_id) as lock:
                await self._advance_under(lock, opened)
                ledger = await lock.ledger(pushes)
                removed_by = await lock.removed_by({seq for push in pushes for seq in push.restored()})
                batch = room.prepare(pushes, ledger, removed_by, lock.head.at)
                if not batch.is_empty:
                    await lock.write(batch)
        except BaseException:
            room.abandon()
            raise
        return batch

    async def _advance_under(self, lock: Lock, opened: OpenRoom) -> None:
        if lock.head.epoch != opened.room.epoch:
            self._end(opened, protocol.RESYNC, "The workflow was restored from a backup.")
            raise Unavailable("The workflow was restored from a backup just now. Try again.")
        if lock.head.seq > opened.room.seq:
            self._carry_out(opened, opened.room.advance(await lock.since(opened.room.seq)))

    @staticmethod
    def _fail(pushes: Iterable[Push], opened: OpenRoom, error: EaselError) -> None:
        for push in pushes:
            answer = opened.answers.pop(push, None)
            if answer is not None and not answer.done():
                answer.set_exception(error)

    # Effects

    def _carry_out(self, opened: OpenRoom, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(opened, effect)
                case Close():
                    socket = opened.sockets.pop(effect.session_id, None)
                    if socket is not None:
                        socket.close(effect.code, effect.reason)
                case Answer():
                    answer = opened.answers.pop(effect.push, None)
                    if answer is not None and not answer.done():
                        answer.set_result(effect.result)
        if opened.room.is_dirty:
            self._dirty.set()

    def _send(self, opened: OpenRoom, send: Send) -> None:
        for session_id in send.session_ids:
            socket = opened.sockets.get(session_id)
            if socket is not None and not socket.send(send.payload):
                del opened.sockets[session_id]
                opened.room.leave(session_id)
                socket.close(protocol.TOO_SLOW, "This connection reads too slowly; it may come back and resume.")

    # What other processes say

    def _hear(self, opened: OpenRoom, hint: Hint) -> None:
        match hint:
            case OpsHint() if hint.head > opened.room.seq:
                self._heal(opened, hint)
            case RunsHint():
                opened.room.show_runs(hint.runs)
                self._dirty.set()
            case PresenceHint() if hint.process != self._process:
                self._hear_presence(opened, hint)
            case AccessHint():
                self._spawn(self._check_roles(opened))
            case DeletedHint():
                self._end(opened, protocol.DELETED, "This workflow was deleted.")
            case _:
                pass

    def _hear_presence(self, opened: OpenRoom, hint: PresenceHint) -> None:
        opened.others.add(hint.process)
        opened.room.presences.hear(
            hint.process, hint.sessions, hint.left, self._now(), whole=hint.is_keyframe and not hint.asks
        )
        if hint.asks:
            self._spawn(self._publish_keyframe(opened))
        self._dirty.set()

    def _heal(self, opened: OpenRoom, hint: OpsHint | None = None) -> None:
        brought = list(hint.transactions or ()) if hint is not None else []
        if brought and brought[0].seq == opened.room.seq + 1 and not opened.lock.locked():
            self._carry_out(opened, opened.room.advance(brought))
        elif opened.healer is None or opened.healer.done():
            opened.healer = self._spawn(self._heal_now(opened))

    async def _heal_now(self, opened: OpenRoom) -> None:
        with contextlib.suppress(NotFound, Unavailable):  # the room has ended, or the poll tries again
            async with opened.lock:
                if not opened.is_gone:
                    await self._catch_up(opened)

    async def _check_roles(self, opened: OpenRoom) -> None:
        accounts = sorted({session.account_id for session in opened.room.sessions.values()})
        roles = await self._roles_of(opened.room.workflow_id, accounts)
        for session in tuple(opened.room.sessions.values()):
            self._carry_out(opened, opened.room.change_role(session.id, roles.get(session.account_id)))

    # Clocks

    async def _tick(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            for opened in tuple(self._rooms.values()):
                if opened.room.is_dirty:
                    await self._tick_room(opened)
            await asyncio.sleep(protocol.TICK_S)

    async def _tick_room(self, opened: OpenRoom) -> None:
        effects, mine, left = opened.room.tick()
        self._carry_out(opened, effects)
        if opened.others and (mine or left):
            await self._relay.publish(opened.room.workflow_id, PresenceHint(self._process, mine, left))

    async def _keep(self) -> None:
        """Every few seconds: tell others who is here, forget who fell silent, put empty rooms away."""
        while True:
            await asyncio.sleep(KEYFRAME_S)
            for opened in tuple(self._rooms.values()):
                opened.room.presences.expire(self._now())
                if opened.sockets:
                    await self._publish_keyframe(opened)
                elif not opened.pending and self._now() - opened.used_at > IDLE_S:
                    self._end(opened, protocol.GOING_AWAY, "")
            self._dirty.set()

    async def _publish_keyframe(self, opened: OpenRoom) -> None:
        hint = PresenceHint(self._process, opened.room.presences.local(), is_keyframe=True)
        await self._relay.publish(opened.room.workflow_id, hint)

    async def _poll(self) -> None:
        """What a lost hint would have told."""
        while True:
            await asyncio.sleep(POLL_S)
            if not self._rooms:
                continue
            try:
                heads = await self._store.heads(list(self._rooms))
            except Unavailable:
                log.warning("hub.poll_failed")
                continue
            for workflow_id, opened in tuple(self._rooms.items()):
                if heads.get(workflow_id) != (opened.room.epoch, opened.room.seq):
                    self._heal(opened)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("hub.task_failed", exc_info=error)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def say_goodbye(self) -> None:
        """The server is going away: every socket may come back elsewhere."""
        for opened in tuple(self._rooms.values()):
            self._end(opened, protocol.GOING_AWAY, "The server is restarting.")


@asynccontextmanager
async def open_hub(store: CanvasStore, relay: Relay, roles_of: RolesOf, live_runs: LiveRuns) -> AsyncIterator[Hub]:
    hub = Hub(store, relay, roles_of, live_runs)
    clocks = [hub._spawn(clock) for clock in (hub._tick(), hub._keep(), hub._poll())]
    try:
        yield hub
    finally:
        hub.say_goodbye()
        for clock in clocks:
            clock.cancel()
        await asyncio.gather(*hub._tasks, return_exceptions=True)

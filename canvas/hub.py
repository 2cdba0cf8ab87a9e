"""The rooms of this process: opens and closes them, lets people in, keeps them in step with other processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog

from canvas import protocol
from canvas.access import Role, lesser, may, refusal
from canvas.budget import BYTES, JUNK_COST, RESYNC_COST, Budget
from canvas.errors import BadRequest, Invalid, NotFound, TooLarge, Unavailable
from canvas.ids import new_id, new_session_id
from canvas.metrics import FRAMES, SLOW_CLIENT_CLOSES
from canvas.open_room import OpenRoom, Socket, Tasks
from canvas.protocol import Hello, Ping, Presence, Result, Resync
from canvas.push import Push
from canvas.relay.port import AccessHint, ClientHint, DeletedHint, Hint, OpsHint, PresenceHint, Relay, RunsHint
from canvas.resuming import resumption_of
from canvas.room import Close, Room, Session
from canvas.store.port import CanvasStore, Resumption

log = structlog.get_logger(__name__)

POLL_S = 1.0  # how late an edit of another process is when Redis is away
KEEP_S = 5.0
IDLE_S = 60.0  # an empty room stays this long: longer than a page reload

RolesOf = Callable[[str, list[str]], Awaitable[dict[str, Role]]]
LiveRuns = Callable[[str], Awaitable[list[dict[str, Any]]]]


class Hub:
    """`open_hub` runs its clocks; whoever makes one without it calls `tick`, `poll` and `keep`."""

    def __init__(self, store: CanvasStore, relay: Relay, roles_of: RolesOf, live_runs: LiveRuns) -> None:
        self._store = store
        self._relay = relay
        self._roles_of = roles_of
        self._live_runs = live_runs
        self._rooms: dict[str, OpenRoom] = {}
        self._opening: dict[str, asyncio.Task[OpenRoom]] = {}
        self._process = new_id("proc")
        self._with_news: dict[OpenRoom, None] = {}
        self._dirty = asyncio.Event()
        self._ticked_at = 0.0
        self._now = asyncio.get_running_loop().time  # asked for the loop each time, Python asks the kernel for our pid
        self.tasks = Tasks()

    # What the doors call

    async def join(
        self,
        workflow_id: str,
        socket: Socket,
        account: dict[str, Any],
        role: Role,
        hello: Hello,
        *,
        access: int,
        may_run: bool = True,
        at_most: Role = "owner",
        is_limited: bool = True,
        for_s: float | None = None,
    ) -> str:
        """Bring a socket in; answers its session id. `access`: the workflow's count when `role` was read; `for_s`: how
        long what it was let in with is good for; `at_most`: the highest role that may have.

        Raises NotFound, Unavailable, Invalid (protocol).
        """
        protocol.check_client(hello.client_id)
        opened = await self._open(workflow_id)
        session = Session(new_session_id(), account["id"], hello.client_id, lesser(role, at_most), account, may_run)
        session.at_most = at_most
        session.budget = Budget() if is_limited else None
        session.expires_at = None if for_s is None else self._now() + for_s
        async with opened.lock:
            head = await opened.catch_up()
            session.joined_at = head.at
            self._relay.publish(workflow_id, ClientHint(self._process, session.account_id, session.client_id, head.at))
            if head.access != access:  # it was changed meanwhile who may do what
                session.role = lesser(await self._role_of(workflow_id, session.account_id), at_most)
            resumption = await self._resumption(opened, session, hello)
            if opened.is_gone:
                raise Unavailable("The workflow has just been closed here. Try again.")
            opened.carry_out(opened.room.join(session, self._now()))
            opened.sockets[session.id] = socket
            self._welcome(opened, session, hello, resumption)
        return session.id

    async def _role_of(self, workflow_id: str, account_id: str) -> Role:
        role = (await self._roles_of(workflow_id, [account_id])).get(account_id)
        if role is None:
            raise refusal(None, "read")
        return role

    async def _resumption(self, opened: OpenRoom, session: Session, hello: Hello) -> Resumption:
        resumption = await resumption_of(self._store, opened.room, session, hello)
        opened.check_epoch(resumption.epoch)
        return resumption

    @staticmethod
    def _welcome(opened: OpenRoom, session: Session, hello: Hello, resumption: Resumption) -> None:
        effects = opened.room.welcome(
            session.id,
            last_client_seq=resumption.last_client_seq,
            results=resumption.results if hello.resume is not None else [],
            missed=resumption.missed,
        )
        opened.carry_out(effects)

    def leave(self, workflow_id: str, session_id: str) -> None:
        opened = self._rooms.get(workflow_id)
        if opened is not None and opened.sockets.pop(session_id, None) is not None:
            opened.room.leave(session_id)
            opened.used_at = self._now()
            self._has_news(opened)

    async def receive(self, workflow_id: str, session_id: str, text: str | bytes | None) -> None:
        """What `hear` does, and the wait for when the next message may be read."""
        wait = self.hear(workflow_id, session_id, text)
        if wait is not None:
            await wait

    def hear(self, workflow_id: str, session_id: str, text: str | bytes | None) -> Awaitable[None] | None:
        """One message of a socket that has joined; None: it was binary. Answers what to await before the next one.

        Raises Invalid and LimitReached, and the wait Unavailable, when the socket has to be closed.
        """
        opened = self._rooms.get(workflow_id)
        if opened is None or session_id not in opened.sockets:
            return None
        size = len(text or ())
        protocol.check_size(size)
        cost, now = 1 + size / BYTES, self._now()
        wait: Awaitable[None] | None = None
        is_push = False
        try:
            message = protocol.decode_message(text)
            if type(message) is Presence:
                self._change_presence(opened, session_id, message, size, now)
            else:
                wait = self._answer(opened, session_id, message, size)
                cost += RESYNC_COST * isinstance(message, Resync)
                is_push = isinstance(message, protocol.Push)
        except Invalid as error:
            opened.sockets[session_id].send(protocol.error_message(error))
            cost += JUNK_COST
        pause_s = self._charge(opened, session_id, cost, now, is_push=is_push)
        return _paused(wait, pause_s) if pause_s else wait

    def charge(self, workflow_id: str, session_id: str) -> Awaitable[None] | None:
        """For what a socket was sent and answered below our messages: pings. As `hear`."""
        opened = self._rooms.get(workflow_id)
        pause_s = self._charge(opened, session_id, 1, self._now()) if opened is not None else 0.0
        return _paused(None, pause_s) if pause_s else None

    def _answer(
        self, opened: OpenRoom, session_id: str, message: protocol.ClientMessage, size: int
    ) -> Awaitable[None] | None:
        match message:
            case protocol.Push():
                opened.enqueue(opened.room.push(session_id, message), size)
                return opened.waiting.space_for(session_id)
            case Ping():
                opened.tell()  # or the client would miss what the number says is there
                opened.sockets[session_id].send(protocol.pong_message(message.t, opened.room.seq))
            case Resync() if opened.sockets[session_id].is_slow:  # or whole documents would pile up
                SLOW_CLIENT_CLOSES.inc()
                opened.room.leave(session_id)
                reason = "This connection has not read what it was sent; it may come back and resume."
                opened.carry_out([Close(session_id, protocol.TOO_SLOW, reason)])
            case Resync():
                return self._resync(opened, session_id)
            case _:
                raise BadRequest("This socket has said hello already.", code="BAD_MESSAGE")
        return None

    @staticmethod
    def _charge(opened: OpenRoom, session_id: str, cost: float, now: float, *, is_push: bool = False) -> float:
        session = opened.room.sessions.get(session_id)
        if session is None or session.budget is None:
            return 0.0
        return session.budget.spend(cost, now, is_push=is_push)

    async def _resync(self, opened: OpenRoom, session_id: str) -> None:
        async with opened.lock:
            opened.tell()
            session = opened.room.sessions.get(session_id)
            if session is None:
                return
            hello = Hello(protocol.PROTOCOL, session.client_id)
            resumption = await self._resumption(opened, session, hello)
            if session_id in opened.sockets:  # it may have left meanwhile
                self._welcome(opened, session, hello, resumption)

    def _change_presence(self, opened: OpenRoom, session_id: str, message: Presence, size: int, now: float) -> None:
        if size > protocol.MAX_PRESENCE_BYTES:
            raise TooLarge("A presence message has at most 32 KiB.")
        may_drag = may(opened.room.sessions[session_id].role, "write")
        opened.room.presences.change(session_id, message.set, now, may_drag=may_drag)
        self._has_news(opened)

    async def push(self, workflow_id: str, push: Push) -> Result:
        """Commit ops that came without a socket. Raises NotFound, Unavailable."""
        opened = await self._open(workflow_id)
        return await opened.answer(push)

    async def read(self, workflow_id: str) -> Room:
        """The room, as fresh as the database. Read it before the next await. Raises NotFound, Unavailable."""
        opened = await self._open(workflow_id)
        async with opened.lock:
            await opened.catch_up()
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
        opened = OpenRoom(room, self._store, self._relay, self.tasks, self._has_news)
        opened.access, opened.used_at = document.head.access, self._now()
        opened.at_end.append(await self._relay.subscribe(workflow_id, lambda hint: self._hear(opened, hint)))
        try:
            room.runs.show(await self._live_runs(workflow_id))
        except BaseException:
            opened.end(protocol.GOING_AWAY, "")
            raise
        if opened.is_gone:  # deleted while it was being opened
            raise NotFound("There is no such workflow.")
        room.tick()
        self._rooms[workflow_id] = opened
        opened.at_end.append(lambda: self._put_away(opened))
        self._relay.publish(workflow_id, PresenceHint(self._process, asks=True))
        return opened

    def _put_away(self, opened: OpenRoom) -> None:
        workflow_id = opened.room.workflow_id
        if self._rooms.get(workflow_id) is opened:
            del self._rooms[workflow_id]

    # What other processes say

    def _hear(self, opened: OpenRoom, hint: Hint) -> None:
        match hint:
            case OpsHint() if hint.epoch != opened.room.epoch:
                opened.heal()
            case OpsHint() if hint.head > opened.room.seq:
                opened.heal(hint)
            case RunsHint():
                opened.room.runs.show(hint.runs)
                self._has_news(opened)
            case PresenceHint() if hint.process != self._process:
                self._hear_presence(opened, hint)
            case ClientHint() if hint.process != self._process:
                opened.others[hint.process] = self._now()
                opened.carry_out(opened.room.replace((hint.account_id, hint.client_id), hint.at))
            case AccessHint():
                self.tasks.spawn(self._check_roles(opened))
            case DeletedHint():
                opened.end(protocol.DELETED, "This workflow was deleted.")
            case _:
                pass

    def _hear_presence(self, opened: OpenRoom, hint: PresenceHint) -> None:
        opened.others[hint.process] = self._now()
        opened.room.presences.hear(
            hint.process, hint.sessions, hint.left, self._now(), whole=hint.is_keyframe and not hint.asks
        )
        if hint.asks:  # it was not told of what was committed between its reading of the document and now
            self._relay.publish(opened.room.workflow_id, OpsHint(opened.room.epoch, opened.room.seq))
            self._publish_keyframe(opened)
        self._has_news(opened)

    async def _check_roles(self, opened: OpenRoom, access: int | None = None) -> None:
        """`access`: the workflow's count, read before; it is known from then on."""
        accounts = sorted({session.account_id for session in opened.room.sessions.values()})
        try:
            roles = await self._roles_of(opened.room.workflow_id, accounts)
        except Unavailable as error:  # `poll` asks again
            log.warning("room.roles_unchecked", workflow=opened.room.workflow_id, code=error.code)
            return
        opened.access = max(opened.access, access or 0)
        for session in tuple(opened.room.sessions.values()):
            if session.account_id in accounts:  # others came while we asked, and were checked at the door
                opened.carry_out(opened.room.change_role(session.id, roles.get(session.account_id)))

    def count(self) -> tuple[int, int]:
        """Rooms that are open in this process, and sessions in them."""
        return len(self._rooms), sum(len(opened.sockets) for opened in self._rooms.values())

    # Clocks

    async def tick(self) -> None:
        """Wait until somebody has something to show, and show it to everybody."""
        await self._dirty.wait()
        self._dirty.clear()
        self._ticked_at = self._now()
        hints: list[tuple[str, PresenceHint]] = []
        with_news, self._with_news = self._with_news, {}
        for opened in with_news:
            opened.tell()
            effects, changed, left = opened.room.tick(opened.slow())
            FRAMES.inc(sum(len(send.session_ids) for send in effects))
            opened.carry_out(effects)
            if opened.others:
                mine = opened.room.presences.local_part(changed)
                if mine or left:
                    hints.append((opened.room.workflow_id, PresenceHint(self._process, mine, left)))
        for workflow_id, hint in hints:  # when everybody here has been told: Redis may be slow
            self._relay.publish(workflow_id, hint)

    def _has_news(self, opened: OpenRoom) -> None:
        self._with_news[opened] = None
        self._dirty.set()

    def rest_of_tick(self) -> float:
        return max(0.0, self._ticked_at + protocol.TICK_S - self._now())

    async def poll(self) -> None:
        """What lost hints would have told, and who fell silent."""
        if not self._rooms:
            return
        for opened in tuple(self._rooms.values()):
            opened.end_expired(self._now())
        heads = await self._store.heads(list(self._rooms))
        for workflow_id, opened in tuple(self._rooms.items()):
            head = heads.get(workflow_id)
            if head is None or (head.epoch, head.seq) != (opened.room.epoch, opened.room.seq):
                opened.heal()
            if head is not None and head.access != opened.access:
                await self._check_roles(opened, head.access)
            opened.expire(self._now())
            if opened.room.is_dirty or opened.room.owes_frames:
                self._has_news(opened)

    async def keep(self) -> None:
        """Tell others who is here, put empty rooms away."""
        for opened in tuple(self._rooms.values()):
            if opened.sockets:
                self._publish_keyframe(opened)
            elif opened.is_idle and self._now() - opened.used_at > IDLE_S:
                opened.end(protocol.GOING_AWAY, "")

    def _publish_keyframe(self, opened: OpenRoom) -> None:
        hint = PresenceHint(self._process, opened.room.presences.local(), is_keyframe=True)
        self._relay.publish(opened.room.workflow_id, hint)

    def say_goodbye(self) -> None:
        """The server is going away: every socket may come back elsewhere."""
        for opened in tuple(self._rooms.values()):
            opened.end(protocol.GOING_AWAY, "The server is restarting.")


async def _paused(wait: Awaitable[None] | None, pause_s: float) -> None:
    if wait is not None:
        await wait
    await asyncio.sleep(pause_s)


async def _repeat(step: Callable[[], Awaitable[None]], rest: Callable[[], float]) -> None:
    while True:
        await asyncio.sleep(rest())
        try:
            await step()
        except Unavailable as error:
            log.warning("hub.clock_skipped", clock=step.__name__, code=error.code)
        except Exception:  # a clock that stopped would leave every room of this process behind
            log.exception("hub.clock_failed", clock=step.__name__)


@asynccontextmanager
async def open_hub(store: CanvasStore, relay: Relay, roles_of: RolesOf, live_runs: LiveRuns) -> AsyncIterator[Hub]:
    hub = Hub(store, relay, roles_of, live_runs)
    paces = ((hub.tick, hub.rest_of_tick), (hub.poll, lambda: POLL_S), (hub.keep, lambda: KEEP_S))
    clocks = [hub.tasks.spawn(_repeat(step, rest)) for step, rest in paces]
    try:
        yield hub
    finally:
        hub.say_goodbye()
        for clock in clocks:
            clock.cancel()
        await hub.tasks.finish()

"""A server process: the real hub with its clocks, doors like those of `app.routes`, and a store that can fail it."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from canvas import protocol
from canvas.access import Role, may
from canvas.errors import EaselError, NotFound, Unavailable
from canvas.hub import Hub, open_hub
from canvas.protocol import Author, Result, Transaction
from canvas.push import Batch, Ledger, Past, Push, decode_push
from canvas.store.memory import MemoryLock, MemoryStore
from canvas.store.port import Document, Head, Resumption, Tail
from tests.simulation.clock import RUNNING
from tests.simulation.network import FaultyRelay, RelayOf, Wire

T = TypeVar("T")

WORKFLOW = "wf"


class Surroundings(Protocol):
    """What a server stands on, and who watches it."""

    store: MemoryStore
    relay: FaultyRelay
    roles: dict[str, Role]
    counts: Counter[str]
    lost: set[tuple[str, str, int]]

    def committed(self) -> None: ...

    def accepted(self, key: tuple[str, str, int]) -> None: ...

    def wrong(self, sentence: str) -> None: ...


class Server:
    """Everything it runs belongs to it and ends with it. `kill` ends it at whatever it is waiting for."""

    def __init__(self, name: str, world: Surroundings) -> None:
        self.name = name
        self.tasks: set[asyncio.Task[Any]] = set()
        self.wires: list[Wire] = []
        self.world = world
        self.hub: Hub | None = None
        self.store = StoreOf(self, random.Random(name))
        self.relay = RelayOf(world.relay, self)
        self._checked: dict[Wire, Role | None] = {}
        """What this process was last told that a socket may do."""
        self._entering: dict[asyncio.Task[Any] | None, Role | None] = {}
        """And who is at the door: it is asked for again when it has changed meanwhile."""
        self._stopping = asyncio.Event()
        context = contextvars.copy_context()
        context.run(RUNNING.set, self)
        self._context = context
        self._main = asyncio.get_running_loop().create_task(self._run(), context=context)

    @property
    def is_alive(self) -> bool:
        return self.relay.is_alive

    @property
    def takes_sockets(self) -> bool:
        return self.is_alive and self.hub is not None and not self._stopping.is_set()

    async def _run(self) -> None:
        async with open_hub(self.store, self.relay, self._roles_of, _no_runs) as hub:
            self.hub = hub
            await self._stopping.wait()
        self._die()

    def stop(self) -> None:
        """SIGTERM: everybody is sent away, what was pushed is committed."""
        self._stopping.set()

    def kill(self) -> None:
        """SIGKILL: nothing that it does from now on reaches anybody."""
        if self.is_alive:
            self._die()
            for task in tuple(self.tasks):
                task.cancel()

    def _die(self) -> None:
        self.relay.is_alive = False
        for wire in tuple(self.wires):
            wire.cut()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Work that is done in this process, and dies with it."""
        return asyncio.get_running_loop().create_task(work, context=self._context)

    # Doors

    def accept(self, wire: Wire, account_id: str) -> None:
        self.wires.append(wire)
        serving = self.spawn(self._serve(wire, account_id))

        def stop_serving() -> None:  # soon: whoever closes it may be serving it right now
            asyncio.get_running_loop().call_soon(serving.cancel)

        wire.when_closed = stop_serving

    async def _serve(self, wire: Wire, account_id: str) -> None:
        session_id = ""
        hub = self.hub
        assert hub is not None
        try:
            access = self.world.store.workflows[WORKFLOW].access
            role = await self._admit(account_id)
            hello = protocol.decode_message(await wire.inbox.get() or "")
            assert isinstance(hello, protocol.Hello)
            self._entering[asyncio.current_task()] = role
            session_id = await hub.join(WORKFLOW, wire, _user(account_id), role, hello, access=access)
            self._joined(wire, self._entering[asyncio.current_task()], (account_id, hello.client_id))
            while (text := await wire.inbox.get()) is not None:
                self._note_accepted(wire, account_id, hello.client_id, text)
                await hub.receive(WORKFLOW, session_id, text)
        except EaselError as error:
            wire.close(protocol.FORBIDDEN if isinstance(error, NotFound) else protocol.GOING_AWAY, error.detail)
        finally:
            self._entering.pop(asyncio.current_task(), None)
            self._checked.pop(wire, None)
            self.wires.remove(wire)
            wire.is_open = False
            if session_id:
                hub.leave(WORKFLOW, session_id)

    def _joined(self, wire: Wire, role: Role | None, client: tuple[str, str]) -> None:
        self._checked[wire] = role
        wire.client = client
        if sum(other.is_open and other.client == client for other in self.wires) > 1:
            self.world.wrong(f"{client} has two sockets at {self.name} (CL1)")

    async def _admit(self, account_id: str) -> Role:
        role = (await self._read_roles([account_id])).get(account_id)
        if role is None:
            raise NotFound("There is no such workflow.")
        return role

    async def _read_roles(self, account_ids: list[str]) -> dict[str, Role]:
        await self.store.reach()
        roles = {id_: self.world.roles[id_] for id_ in account_ids if id_ in self.world.roles}
        await self.store.reach()
        return roles

    async def _roles_of(self, _: str, account_ids: list[str]) -> dict[str, Role]:
        """What the hub asks of those who are here; from its answer on it has to act on it."""
        asked = tuple(self._checked)
        roles = await self._read_roles(account_ids)
        if (task := asyncio.current_task()) in self._entering:
            self._entering[task] = roles.get(account_ids[0])
        for wire in asked:
            if wire in self._checked and wire.client is not None and wire.client[0] in account_ids:
                self._checked[wire] = roles.get(wire.client[0])
        return roles

    def _note_accepted(self, wire: Wire, account_id: str, client_id: str, text: str) -> None:
        message = protocol.decode_message(text)
        if isinstance(message, protocol.Push) and may(self._checked[wire], "write"):
            self.world.accepted((account_id, client_id, message.client_seq))

    async def request(self, account_id: str, client_id: str, client_seq: int, ops: bytes) -> Result:
        """POST …/ops. Raises Unavailable, NotFound."""
        role = await self._admit(account_id)
        if may(role, "write"):
            self.world.accepted((account_id, client_id, client_seq))
        assert self.hub is not None
        return await self.hub.push(WORKFLOW, decode_push(Author(account_id, "rest", client_id, client_seq), role, ops))


class StoreOf:
    """One process's connection to the store that all of them share."""

    def __init__(self, server: Server, seeded: random.Random) -> None:
        self._server = server
        self._random = seeded
        self.is_away = False
        self.fails_before_commit = False
        self.fails_after_commit = False
        self.breaks_on_the_way = False
        """The next statement arrives late, and nobody waits for its answer any more."""
        self.steps_to_live: int | None = None
        """The process is killed when it has waited for the store so many times."""

    async def reach(self) -> None:
        """Every wait for the store: here time passes, here a process dies."""
        if self.steps_to_live is not None:
            self.steps_to_live -= 1
            if self.steps_to_live <= 0:
                self._server.world.counts["killed at an await"] += self._server.is_alive
                self._server.kill()
        await asyncio.sleep(self._random.expovariate(1 / 0.002))
        if self.is_away:
            raise Unavailable("The database cannot be reached.", code="DATABASE_FAILED")

    @asynccontextmanager
    async def lock(self, workflow_id: str) -> AsyncIterator[LockOf]:
        await self.reach()
        async with self._server.world.store.lock(workflow_id) as lock:
            slow = LockOf(lock, self)
            yield slow
            await self.reach()
            self._fail("fails_before_commit")
        self._server.world.committed()
        try:
            await self.reach()
            self._fail("fails_after_commit")
        except Unavailable:
            self._server.world.lost.update(slow.written)
            raise

    def _fail(self, moment: str) -> None:
        if getattr(self, moment):
            setattr(self, moment, False)
            self._server.world.counts[moment] += 1
            raise Unavailable("The connection broke.", code="DATABASE_FAILED")

    async def append(self, workflow_id: str, epoch: str, after: int, batch: Batch) -> bool:
        """What was sent is carried out, though the process that sent it dies, or gives its connection up."""
        await self.reach()
        self._fail("fails_before_commit")
        delay_s = self._random.uniform(0.05, 0.6) if self.breaks_on_the_way else 0.0
        statement = asyncio.get_running_loop().create_task(
            self._carry_out(delay_s, workflow_id, epoch, after, batch), context=contextvars.Context()
        )
        self._fail("breaks_on_the_way")
        is_stored = await asyncio.shield(statement)
        self._server.world.counts["appends stored" if is_stored else "appends refused"] += 1
        try:
            await self.reach()
            self._fail("fails_after_commit")
        except Unavailable:
            if is_stored:
                self._server.world.lost.update(_answered_by(batch))
            raise
        return is_stored

    async def _carry_out(self, delay_s: float, workflow_id: str, epoch: str, after: int, batch: Batch) -> bool:
        await asyncio.sleep(delay_s)
        world = self._server.world
        is_stored = await world.store.append(workflow_id, epoch, after, batch)
        if is_stored:
            world.committed()
        if is_stored and delay_s:
            world.counts["appends stored late"] += 1
            world.lost.update(_answered_by(batch))
        return is_stored

    async def load(self, workflow_id: str) -> Document | None:
        await self.reach()
        document = await self._server.world.store.load(workflow_id)
        await self.reach()
        return document

    async def resumption(
        self, workflow_id: str, account_id: str, client_id: str, *, after: int | None, acked: int | None
    ) -> Resumption:
        await self.reach()
        told = await self._server.world.store.resumption(workflow_id, account_id, client_id, after=after, acked=acked)
        await self.reach()
        return told

    async def tail(self, workflow_id: str, after: int, limit: int | None = None) -> Tail | None:
        await self.reach()
        tail = await self._server.world.store.tail(workflow_id, after, limit)
        await self.reach()
        return tail

    async def heads(self, workflow_ids: list[str]) -> dict[str, Head]:
        await self.reach()
        heads = await self._server.world.store.heads(workflow_ids)
        await self.reach()
        return heads


class LockOf:
    """A lock whose every question takes time."""

    def __init__(self, lock: MemoryLock, store: StoreOf) -> None:
        self.head = lock.head
        self._lock = lock
        self._store = store
        self.written: list[tuple[str, str, int]] = []
        """The pushes that are answered by its commit."""

    async def since(self, seq: int) -> list[Transaction]:
        await self._store.reach()
        return await self._lock.since(seq)

    async def ledger(self, pushes: list[Push]) -> Ledger:
        await self._store.reach()
        return await self._lock.ledger(pushes)

    async def past(self, pushes: list[Push]) -> Past:
        await self._store.reach()
        return await self._lock.past(pushes)

    async def write(self, batch: Batch) -> None:
        await self._store.reach()
        await self._lock.write(batch)
        self.written = _answered_by(batch)
        await self._store.reach()


def _answered_by(batch: Batch) -> list[tuple[str, str, int]]:
    return [(*push.client, result.client_seq) for push, result in batch.numbered if push.client and result.client_seq]


def _user(account_id: str) -> dict[str, Any]:
    return {"id": account_id, "name": account_id.title(), "color": "#a0f"}


async def _no_runs(_: str) -> list[dict[str, Any]]:
    return []

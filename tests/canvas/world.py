"""A workflow with an owner, an editor and a viewer; hubs that share its database; and sockets that remember."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, get_args, get_type_hints

import msgspec

from canvas.access import Role
from canvas.errors import Unavailable
from canvas.graph import Record
from canvas.hub import Hub
from canvas.ids import new_id
from canvas.messages import SERVER_MESSAGES
from canvas.ops import Add, Op
from canvas.protocol import Author, Hello, ResumePoint, digest_of, encode
from canvas.push import Batch, Push
from canvas.relay.memory import MemoryRelay
from canvas.relay.port import Relay
from canvas.store.postgres import Pool, PostgresLock, PostgresStore
from canvas.store.workflows import Workflows
from canvas.transfer import read_document


def understood(payload: bytes) -> dict[str, Any]:
    """What a browser reads; an AssertionError for a message that is not as `canvas.messages` says."""
    message: dict[str, Any] = msgspec.json.decode(payload)
    declared = next(one for one in SERVER_MESSAGES if get_args(get_type_hints(one)["type"]) == (message["type"],))
    assert declared.__required_keys__ <= set(message) <= set(declared.__annotations__), message
    msgspec.convert(message, declared)
    return message


class Client:
    """A socket, and what a browser behind it would do."""

    def __init__(self, hub: Hub, workflow_id: str, account_id: str, client_id: str) -> None:
        self.hub = hub
        self.workflow_id = workflow_id
        self.account_id = account_id
        self.client_id = client_id
        self.session_id = ""
        self.heard: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self.is_stuck = False
        self._news = asyncio.Event()

    # What the hub calls

    @property
    def is_slow(self) -> bool:
        return self.is_stuck

    def send(self, payload: bytes, *, is_kept: bool = False) -> bool:
        assert self.closed is None, "nothing is sent after a close"
        if self.is_stuck:
            return False
        self.heard.append(understood(payload))
        self._news.set()
        return True

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self._news.set()

    # What the browser does

    async def join(
        self, role: Role = "editor", resume: ResumePoint | None = None, *, access: int | None = None
    ) -> Client:
        account = {"id": self.account_id, "name": self.account_id.title(), "color": "#a0f"}
        hello = Hello(1, self.client_id, resume)
        if access is None:
            heads = await self.hub._store.heads([self.workflow_id])
            access = heads[self.workflow_id].access if heads else 0
        self.session_id = await self.hub.join(self.workflow_id, self, account, role, hello, access=access)
        return self

    async def say(self, **message: Any) -> None:
        await self.hub.receive(self.workflow_id, self.session_id, encode(message).decode())

    async def push(self, client_seq: int, *ops: Op) -> None:
        await self.say(type="push", clientSeq=client_seq, ops=ops)

    async def pushed(self, client_seq: int, *ops: Op) -> dict[str, Any]:
        before = len(self.of("result"))
        await self.push(client_seq, *ops)
        await self.until(lambda _: len(self.of("result")) > before)
        result: dict[str, Any] = self.of("result")[-1]
        return result

    async def until(self, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The newest message that matches, when it is here."""
        async with asyncio.timeout(20):
            while True:
                for message in self.heard[::-1]:
                    if matches(message):
                        return message
                self._news.clear()
                await self._news.wait()

    async def until_seq(self, seq: int) -> None:
        await self.until(lambda _: self.seqs()[-1:] == [seq])

    async def until_closed(self) -> int:
        async with asyncio.timeout(20):
            while self.closed is None:
                self._news.clear()
                await self._news.wait()
        return self.closed[0]

    def types(self) -> list[str]:
        return [message["type"] for message in self.heard]

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["type"] == type_]

    def seqs(self) -> list[int]:
        """The seq of every transaction it was told of, in the order it heard them: by `ops`, or by its own result."""
        found: list[int] = []
        for message in self.heard:
            if message["type"] == "ops":
                found.extend(transaction["seq"] for transaction in message["transactions"])
            elif message["type"] == "result" and message["outcome"] != "reject" and message["seq"] not in found:
                found.append(message["seq"])
        return found


class UnsteadyStore(PostgresStore):
    """Fails when told to: before a commit, after one (its answer is lost), or when anything is read."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.fail_before_commit = 0
        self.fail_after_commit = 0
        self.is_away = False
        self.breaks_on: str | None = None
        """Writing a node with this id fails as a bug would."""
        self.passes: asyncio.Semaphore | None = None
        """Each lets one append through."""
        self.commits = 0
        self.locks = 0
        self._late: Callable[[], Awaitable[bool]] | None = None
        self._is_late = False

    def break_on_the_way(self) -> Callable[[], Awaitable[bool]]:
        """The next append fails; the answer sends its statement after all."""
        self._is_late = True

        async def arrive() -> bool:
            assert self._late is not None
            return await self._late()

        return arrive

    @asynccontextmanager
    async def lock(self, workflow_id: str) -> AsyncIterator[PostgresLock]:
        if self.is_away:
            raise Unavailable("away", code="DATABASE_FAILED")
        self.locks += 1
        async with super().lock(workflow_id) as lock:
            yield UnsteadyLock(self, lock)
            self._fail("fail_before_commit")
        self.commits += 1
        self._fail("fail_after_commit")

    async def append(self, workflow_id: str, epoch: str, after: int, batch: Batch) -> bool:
        if self.is_away:
            raise Unavailable("away", code="DATABASE_FAILED")
        self._break(batch)
        if self.passes is not None:
            await self.passes.acquire()
        self._fail("fail_before_commit")
        if self._is_late:
            self._is_late, self._late = False, partial(super().append, workflow_id, epoch, after, batch)
            raise Unavailable("broke on the way", code="DATABASE_FAILED")
        is_stored = await super().append(workflow_id, epoch, after, batch)
        self.commits += is_stored
        self._fail("fail_after_commit")
        return is_stored

    def _break(self, batch: Batch) -> None:
        if self.breaks_on in batch.touched.nodes:
            raise ZeroDivisionError("a bug")

    def _fail(self, moment: str) -> None:
        if getattr(self, moment):
            setattr(self, moment, getattr(self, moment) - 1)
            raise Unavailable(moment, code="DATABASE_FAILED")

    async def resumption(self, *args: Any, **kwargs: Any) -> Any:
        if self.is_away:
            raise Unavailable("away", code="DATABASE_FAILED")
        return await super().resumption(*args, **kwargs)


class UnsteadyLock(PostgresLock):
    def __init__(self, store: UnsteadyStore, lock: PostgresLock) -> None:
        super().__init__(lock._connection, lock._workflow_id, lock.head)
        self._store = store

    async def write(self, batch: Batch) -> None:
        self._store._break(batch)
        await super().write(batch)


class World:
    def __init__(self, database: Pool) -> None:
        self.database = database
        self.workflows = Workflows(database)
        self.store = UnsteadyStore(database)
        self.relay = MemoryRelay()
        self.ada, self.bob, self.eve = new_id("ada"), new_id("bob"), new_id("eve")
        self.id = ""

    def hub(self, relay: Relay | None = None) -> Hub:
        return Hub(self.store, relay or self.relay, self.workflows.roles_of, _no_runs)

    def client(self, hub: Hub, account_id: str | None = None, client_id: str = "tab") -> Client:
        return Client(hub, self.id, account_id or self.ada, client_id)

    async def log(self) -> list[int]:
        tail = await self.store.tail(self.id, 0)
        return [transaction.seq for transaction in tail.transactions] if tail is not None else []

    async def stored(self) -> list[Record]:
        document = await self.store.load(self.id)
        assert document is not None
        return document.graph.nodes_in_order()

    async def set_epoch(self, epoch: str) -> None:
        await self.database.execute("UPDATE workflows SET epoch = $2 WHERE id = $1", self.id, epoch)


async def _no_runs(_: str) -> list[dict[str, Any]]:
    return []


async def open_world(database: Pool, *nodes: Record) -> World:
    world = World(database)
    for account_id in (world.ada, world.bob, world.eve):
        await database.execute("INSERT INTO accounts (id, name, color) VALUES ($1, $1, '#a0f')", account_id)
    world.id = await world.workflows.create(world.ada, "Foxes", read_document({"nodes": list(nodes)}, {}))
    await world.workflows.set_member(world.id, world.bob, "editor", by=world.ada)
    await world.workflows.set_member(world.id, world.eve, "viewer", by=world.ada)
    return world


def numbered(account_id: str, number: int, *ops: Op, client_id: str = "tab") -> Push:
    author = Author(account_id, "user", client_id, number)
    return Push(author, list(ops), digest_of(list(ops)))


def by_request(account_id: str, *ops: Op) -> Push:
    return Push(Author(account_id, "rest"), list(ops), b"")


def adding(id_: str, x: float = 0) -> Add:
    return Add("node", {"id": id_, "position": {"x": x, "y": 0}, "data": {}})

"""A workflow, the servers that hold it and the people who edit it; what was committed, told and seen."""

from __future__ import annotations

import asyncio
import copy
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from canvas import protocol
from canvas.access import Role
from canvas.errors import EaselError
from canvas.graph import Graph, Touched
from canvas.ops import Op, SetWorkflow, replay
from canvas.protocol import Author, Result, Transaction
from canvas.push import Batch
from canvas.store.memory import MemoryLock, MemoryStore, StoredWorkflow
from tests.canvas.drawing import check
from tests.simulation import oracles
from tests.simulation.network import FaultyRelay
from tests.simulation.server import WORKFLOW, Server
from tests.simulation.tab import Tab, drawn

START = datetime(2026, 1, 1, tzinfo=UTC)
LOOK_S = 0.5  # between two looks at whether everything has come to rest

_transaction = msgspec.json.Decoder(Transaction)


class Acknowledgement(msgspec.Struct, frozen=True):
    key: tuple[str, str]
    ops: list[Op]
    result: Result


class World:
    def __init__(self, seed: int, counts: Counter[str]) -> None:
        self.seed = seed
        self.counts = counts
        self.random = random.Random(f"{seed}/world")
        self.loop = asyncio.get_running_loop()
        self.store = MemoryStore(lambda: START + timedelta(seconds=self.loop.time()))
        self.store.create(WORKFLOW, "epoch-0", name="Foxes")
        self.relay = FaultyRelay(f"{seed}/relay", counts)
        self.roles: dict[str, Role] = {"ada": "owner", "bob": "editor", "cleo": "editor", "eve": "viewer"}
        self.wrongs: list[str] = []
        self.story: list[str] = []
        self.servers: list[Server] = []
        self.tabs: list[Tab] = []
        self.acknowledgements: list[Acknowledgement] = []
        self.writable: set[tuple[str, str, int]] = set()
        """Pushes that some server took from somebody it knew as a writer."""
        self.lost: set[tuple[str, str, int]] = set()
        """Pushes that were committed, and the server that did it never heard so."""
        self.history: dict[str, list[bytes]] = {"epoch-0": []}
        self.documents: dict[str, list[bytes]] = {}
        """What was drawn at each seq of each epoch."""
        self._graph = Graph(name="Foxes")
        self.documents["epoch-0"] = [drawn(self._graph)]
        self._backup: tuple[StoredWorkflow, list[Acknowledgement]] | None = None

    @property
    def stored(self) -> StoredWorkflow:
        return self.store.workflows[WORKFLOW]

    # Who is there

    def start_server(self) -> None:
        server = Server(f"{self.seed}/server-{len(self.servers)}", self)
        self.servers.append(server)
        self.note(f"{server.name} starts")

    def alive(self) -> list[Server]:
        return [server for server in self.servers if server.takes_sockets]

    def some_server(self, tab: Tab) -> Server | None:
        alive = self.alive()
        return tab.editor.random.choice(alive) if alive else None

    def open_tab(self, name: str, account_id: str, client_id: str) -> Tab:
        tab = Tab(name, account_id, client_id, self.seed, self)
        self.tabs.append(tab)
        tab.dial()
        return tab

    # What is seen

    def note(self, sentence: str) -> None:
        self.story.append(f"{self.loop.time():8.3f}  {sentence}")

    def wrong(self, sentence: str) -> None:
        self.note(f"WRONG {sentence}")
        self.wrongs.append(sentence)

    def accepted(self, key: tuple[str, str, int]) -> None:
        self.writable.add(key)

    def committed(self) -> None:
        """Look at what the store holds now: the fold of its log has to be a sound document, and be what is stored."""
        stored = self.stored
        log, documents = self.history[stored.epoch], self.documents[stored.epoch]
        for encoded in stored.log[len(log) :]:
            transaction = _transaction.decode(encoded)
            self.note(f"commit {transaction.seq} by {transaction.by}: {protocol.encode(transaction.ops).decode()}")
            try:
                replay(self._graph, transaction.seq, transaction.ops)
                self._graph.settle()
                check(self._graph)
            except (AssertionError, EaselError, KeyError) as error:
                self.wrong(f"transaction {transaction.seq} makes no document: {error} (GR2, GR3)")
            log.append(encoded)
            documents.append(drawn(self._graph))
            self.counts["transactions"] += 1
            oracles.check_author(self, transaction)

    def check_transaction(self, tab: Tab, transaction: Transaction) -> None:
        log = self.history[tab.replica.epoch or ""]
        if transaction.seq <= min(tab.compacted_to, len(log)):
            logged = msgspec.json.decode(log[transaction.seq - 1], type=Transaction)
            transaction = msgspec.structs.replace(transaction, ops=logged.ops)
        if transaction.seq > len(log) or protocol.encode(transaction) != log[transaction.seq - 1]:
            self.wrong(f"{tab.name} heard {transaction}, which is not in the log of {tab.replica.epoch} (PU8)")

    def check_document(self, tab: Tab) -> None:
        replica = tab.replica
        documents = self.documents[replica.epoch or ""]
        if replica.seq >= len(documents):
            self.wrong(f"{tab.name} is at {replica.seq} of {len(documents) - 1} committed (PU8)")
        elif replica.seq >= tab.compacted_to and drawn(replica.graph) != documents[replica.seq]:
            was, is_ = documents[replica.seq].decode(), drawn(replica.graph).decode()
            self.wrong(f"{tab.name} draws at {replica.seq}\n    {is_}\n  and the log says\n    {was} (OP2)")

    def was_lost(self, push: tuple[str, str, int]) -> bool:
        return push in self.lost

    def acknowledged(self, tab: Tab, ops: list[Op], result: Result) -> None:
        self.note(f"{tab.name} is told {protocol.encode(result).decode()}")
        if tab.epoch == self.stored.epoch:
            self.acknowledgements.append(Acknowledgement(tab.key, ops, result))

    # A restored backup

    async def back_up(self) -> None:
        async with self.store.replacing(WORKFLOW):
            self._backup = (_copy(self.stored), list(self.acknowledgements))
        self.note("backup")

    async def restore_backup(self, *, is_built_upon: bool) -> None:
        """`is_built_upon`: before any server notices, its log is as long again as the one that it replaces."""
        if self._backup is None:
            return
        async with self.store.replacing(WORKFLOW):
            seq = self.stored.seq
            stored, self.acknowledgements = _copy(self._backup[0]), list(self._backup[1])
            old, stored.epoch = stored.epoch, f"epoch-{len(self.history)}"
            self.history[stored.epoch] = self.history[old][: stored.seq]
            self.documents[stored.epoch] = self.documents[old][: stored.seq + 1]
            self._graph = oracles.fold(stored.log)
            self.store.workflows[WORKFLOW] = stored
            if is_built_upon:
                self._build_upon(stored, seq)
        self.counts["backups restored"] += 1
        self.note(f"backup restored: {stored.epoch} at {stored.seq}")

    def _build_upon(self, stored: StoredWorkflow, seq: int) -> None:
        lock = MemoryLock(stored, START + timedelta(seconds=self.loop.time()))
        for number in range(stored.seq + 1, seq + 1):
            viewport = {"x": number, "y": 0, "zoom": 1}
            transaction = Transaction(
                number, Author("ada", "rest"), lock.head.at, [SetWorkflow({"/viewport": viewport})]
            )
            touched = Touched({}, {}, (self._graph.name, viewport))
            lock.store(Batch(number, transactions=[transaction], touched=touched))
        self.committed()

    # The end

    def is_at_rest(self) -> bool:
        if self.wrongs:
            return True
        head = (self.stored.epoch, self.stored.seq)
        present = [tab for tab in self.tabs if not tab.is_out]
        return all(tab.is_live and not tab.waiting and (tab.replica.epoch, tab.replica.seq) == head for tab in present)

    async def until(self, holds: Callable[[], bool], patience_s: float) -> bool:
        """Let the clock run until something holds; False when it does not in time."""
        for _ in range(round(patience_s / LOOK_S)):
            if holds():
                return True
            await asyncio.sleep(LOOK_S)
        return holds()


def _copy(stored: StoredWorkflow) -> StoredWorkflow:
    tables = {name: copy.copy(getattr(stored, name)) for name in stored.__struct_fields__}
    return StoredWorkflow(**tables)

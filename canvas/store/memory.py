"""Documents inside one process, for tests and the simulator: forgets everything when it ends.

What is kept is encoded, so that nobody can change it by holding on to an object.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec

from canvas.errors import Invalid, NotFound
from canvas.graph import Graph, Kind, Placed
from canvas.ops import Removed
from canvas.protocol import Transaction
from canvas.push import Answered, Batch, Ledger, Past, Push
from canvas.store.port import Document, Head, Resumption, Tail
from canvas.values import holds_base64_picture

_encode = msgspec.json.Encoder().encode
_transaction = msgspec.json.Decoder(Transaction)
_removed = msgspec.json.Decoder(Removed)
_answered = msgspec.json.Decoder(Answered)
_placed = msgspec.json.Decoder(Placed)
_workflow = msgspec.json.Decoder(tuple[str, msgspec.Raw])
_value = msgspec.json.Decoder()


class StoredWorkflow(msgspec.Struct):
    """A workflow's rows. A shallow copy of each table is a backup."""

    epoch: str
    named: bytes
    """Its name and viewport."""
    seq: int = 0
    nodes: dict[str, bytes] = {}
    edges: dict[str, bytes] = {}
    log: list[bytes] = []
    """Every transaction; the one with seq n is at n - 1."""
    removed: dict[int, bytes] = {}
    pushes: dict[tuple[str, str, int], bytes] = {}
    last: dict[tuple[str, str], int] = {}
    access: int = 0
    is_in_trash: bool = False

    def table(self, kind: Kind) -> dict[str, bytes]:
        return self.nodes if kind == "node" else self.edges


class MemoryLock:
    def __init__(self, workflow: StoredWorkflow, at: datetime) -> None:
        self.head = _head_of(workflow, at)
        self._workflow = workflow
        self._written: list[Batch] = []

    async def since(self, seq: int) -> list[Transaction]:
        return _since(self._workflow, seq)

    async def ledger(self, pushes: list[Push]) -> Ledger:
        ledger = Ledger({}, {})
        for push in pushes:
            if push.client is None or push.author.client_seq is None:
                continue
            ledger.last[push.client] = self._workflow.last.get(push.client, 0)
            before = self._workflow.pushes.get((*push.client, push.author.client_seq))
            if before is not None:
                ledger.answered[(*push.client, push.author.client_seq)] = _answered.decode(before)
        return ledger

    async def past(self, pushes: list[Push]) -> Past:
        there = {seq for push in pushes for seq in push.restored() if 0 < seq <= self._workflow.seq}
        stored = self._workflow.removed
        removed_by = {seq: _removed.decode(stored[seq]) if seq in stored else Removed() for seq in there}
        undone = [push.undo_of for push in pushes if push.undo_of is not None]
        return Past(removed_by, _since(self._workflow, min(undone) - 1) if undone else [])

    async def write(self, batch: Batch) -> None:
        batch.stored_at(self.head.at)
        placed = (one for table in (batch.touched.nodes, batch.touched.edges) for one in table.values())
        if any(holds_base64_picture(_encode(one).decode()) for one in (*placed, batch.transactions)):
            raise Invalid("The database refuses this change.", code="REFUSED_BY_STORE")
        self._written.append(batch)

    def commit(self) -> None:
        for batch in self._written:
            self.store(batch)

    def store(self, batch: Batch) -> None:
        self._write_log(batch)
        self._write_records("node", batch.touched.nodes)
        self._write_records("edge", batch.touched.edges)
        if batch.touched.workflow is not None:
            self._workflow.named = _encode(batch.touched.workflow)
        self._write_pushes(batch)

    def _write_log(self, batch: Batch) -> None:
        workflow = self._workflow
        for transaction in batch.transactions:
            if transaction.seq != workflow.seq + 1:
                raise RuntimeError(f"Transaction {transaction.seq} does not follow {workflow.seq}.")
            workflow.log.append(_encode(transaction))
            workflow.seq = transaction.seq
        workflow.removed.update({seq: _encode(removed) for seq, removed in batch.removed.items()})

    def _write_records(self, kind: Kind, touched: dict[str, Placed | None]) -> None:
        table = self._workflow.table(kind)
        for id_, placed in touched.items():
            if placed is None:
                table.pop(id_, None)
            else:
                table[id_] = _encode(placed)

    def _write_pushes(self, batch: Batch) -> None:
        for push, result in batch.numbered:
            if push.client is None or push.author.client_seq is None:
                continue
            key = (*push.client, push.author.client_seq)
            if key in self._workflow.pushes:
                raise RuntimeError(f"Push {key} has been answered before.")
            self._workflow.pushes[key] = _encode(Answered(push.digest, result))
            self._workflow.last[push.client] = push.author.client_seq


class MemoryStore:
    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.workflows: dict[str, StoredWorkflow] = {}
        self._now = now
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def create(self, workflow_id: str, epoch: str, *, name: str = "") -> None:
        """An empty workflow."""
        self.workflows[workflow_id] = StoredWorkflow(epoch, _encode((name, None)))

    @asynccontextmanager
    async def lock(self, workflow_id: str) -> AsyncIterator[MemoryLock]:
        async with self._locks[workflow_id]:
            lock = MemoryLock(self._present(workflow_id), self._now())
            yield lock
            lock.commit()

    async def append(self, workflow_id: str, epoch: str, after: int, batch: Batch) -> bool:
        async with self._locks[workflow_id]:
            workflow = self._found(workflow_id)
            if workflow is None or (workflow.epoch, workflow.seq) != (epoch, after) or self._has_used(workflow, batch):
                return False
            lock = MemoryLock(workflow, self._now())
            await lock.write(batch)
            lock.commit()
        return True

    @staticmethod
    def _has_used(workflow: StoredWorkflow, batch: Batch) -> bool:
        """A number of the batch."""
        return any(
            (*push.client, push.author.client_seq) in workflow.pushes for push, _ in batch.numbered if push.client
        )

    @asynccontextmanager
    async def replacing(self, workflow_id: str) -> AsyncIterator[None]:
        """While nobody else holds the workflow: for putting a backup in its place."""
        async with self._locks[workflow_id]:
            yield

    async def load(self, workflow_id: str) -> Document | None:
        workflow = self._found(workflow_id)
        if workflow is None:
            return None
        name, viewport = _workflow.decode(workflow.named)
        graph = Graph(name=name, viewport=_value.decode(viewport))
        kinds: tuple[Kind, Kind] = ("node", "edge")
        for kind in kinds:
            for stored in workflow.table(kind).values():
                placed = _placed.decode(stored)
                graph.put(kind, placed.record, placed.ord)
        graph.settle()
        return Document(_head_of(workflow, self._now()), graph)

    async def resumption(
        self, workflow_id: str, account_id: str, client_id: str, *, after: int | None, acked: int | None
    ) -> Resumption:
        workflow = self._present(workflow_id)
        last = workflow.last.get((account_id, client_id), 0)
        answered = (
            workflow.pushes[account_id, client_id, number]
            for number in range((acked if acked is not None else last) + 1, last + 1)
        )
        results = [_answered.decode(one).result for one in answered]
        missed = _since(workflow, after) if after is not None else None
        return Resumption(workflow.epoch, last, results, missed)

    async def tail(self, workflow_id: str, after: int, limit: int | None = None) -> Tail | None:
        workflow = self._found(workflow_id)
        return Tail(_head_of(workflow, self._now()), _since(workflow, after)[:limit]) if workflow is not None else None

    async def heads(self, workflow_ids: list[str]) -> dict[str, Head]:
        found = {workflow_id: self._found(workflow_id) for workflow_id in workflow_ids}
        return {id_: _head_of(workflow, self._now()) for id_, workflow in found.items() if workflow is not None}

    def _found(self, workflow_id: str) -> StoredWorkflow | None:
        workflow = self.workflows.get(workflow_id)
        return None if workflow is None or workflow.is_in_trash else workflow

    def _present(self, workflow_id: str) -> StoredWorkflow:
        workflow = self._found(workflow_id)
        if workflow is None:
            raise NotFound("There is no such workflow.")
        return workflow


def _head_of(workflow: StoredWorkflow, at: datetime) -> Head:
    return Head(workflow.epoch, workflow.seq, at, workflow.access)


def _since(workflow: StoredWorkflow, seq: int) -> list[Transaction]:
    return [_transaction.decode(one) for one in workflow.log[max(seq, 0) :]]

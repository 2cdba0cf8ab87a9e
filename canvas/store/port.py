"""What a room needs of a store. PostgreSQL is the sequencer: whoever holds a workflow's lock may append to its log."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from canvas.graph import Graph
from canvas.ops import Removed
from canvas.protocol import Result, Transaction
from canvas.room import Batch, Ledger, Push


class Head(NamedTuple):
    epoch: str
    seq: int
    at: datetime
    """The time of the transaction that asks."""


class Document(msgspec.Struct):
    """A workflow as it stood at `head`."""

    head: Head
    graph: Graph


class Resumption(msgspec.Struct):
    """What a client that comes back has to hear."""

    last_client_seq: int
    results: list[Result]
    missed: list[Transaction] | None
    """What came after its seq; None when that cannot be told any more and it needs a snapshot."""


class Lock(Protocol):
    """A workflow's row lock, held in one transaction. Leaving the block without an error commits."""

    head: Head

    async def since(self, seq: int) -> list[Transaction]: ...

    async def ledger(self, pushes: list[Push]) -> Ledger: ...

    async def removed_by(self, seqs: set[int]) -> dict[int, Removed]: ...

    async def write(self, batch: Batch) -> None: ...


class CanvasStore(Protocol):
    async def load(self, workflow_id: str) -> Document | None:
        """The whole document, or None: unknown, or in the trash."""

    def lock(self, workflow_id: str) -> AbstractAsyncContextManager[Lock]:
        """Raises NotFound for a workflow that is unknown or in the trash, Unavailable when the store is away."""

    async def resumption(
        self, workflow_id: str, account_id: str, client_id: str, *, after: int | None, acked: int
    ) -> Resumption:
        """`after`: the seq to go on from; None: only the client's numbers are wanted."""

    async def since(self, workflow_id: str, seq: int) -> list[Transaction]: ...

    async def heads(self, workflow_ids: list[str]) -> dict[str, tuple[str, int]]:
        """Epoch and seq of those that are not in the trash."""

"""What a room needs of a store. PostgreSQL is the sequencer: whoever holds a workflow's lock may append to its log."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from canvas.graph import Graph
from canvas.protocol import Result, Transaction
from canvas.push import Batch, Ledger, Past, Push


class Head(NamedTuple):
    epoch: str
    seq: int
    at: datetime
    """The time of the transaction that asks."""
    access: int
    """How often it was changed who may do what."""


class Document(msgspec.Struct):
    """A workflow as it stood at `head`."""

    head: Head
    graph: Graph


class Tail(msgspec.Struct):
    """The end of a log, up to `head`."""

    head: Head
    transactions: list[Transaction]


class Resumption(msgspec.Struct):
    """What a client that comes back has to hear."""

    epoch: str
    last_client_seq: int
    results: list[Result]
    missed: list[Transaction] | None
    """What the log still holds of what came after its seq; None: it was not asked for, or is too much."""


class Lock(Protocol):
    """A workflow's row lock, held in one transaction. Leaving the block without an error commits."""

    head: Head

    async def since(self, seq: int) -> list[Transaction]: ...

    async def ledger(self, pushes: list[Push]) -> Ledger: ...

    async def past(self, pushes: list[Push]) -> Past:
        """What their restores and undos reach back to."""

    async def write(self, batch: Batch) -> None:
        """A batch that was decided at `head`; its transactions get their time.

        Raises Invalid for what the store refuses though the rules let it pass.
        """


class CanvasStore(Protocol):
    async def load(self, workflow_id: str) -> Document | None:
        """The whole document, or None: unknown, or in the trash."""

    def lock(self, workflow_id: str) -> AbstractAsyncContextManager[Lock]:
        """Raises NotFound for a workflow that is unknown or in the trash, Unavailable when the store is away."""

    async def append(self, workflow_id: str, epoch: str, after: int, batch: Batch) -> bool:
        """Write a batch that was decided without the lock, at `after` of `epoch`; its transactions get their time.

        False, and nothing is written: the log stands elsewhere, the workflow is gone, or a number of the batch has
        been used. Raises Invalid as `Lock.write` does, and Unavailable: then it may be written, even later.
        """

    async def resumption(
        self, workflow_id: str, account_id: str, client_id: str, *, after: int | None, acked: int | None
    ) -> Resumption:
        """`after`: the seq to go on from; `acked`: the last number whose result has come. None: not asked for.

        Raises NotFound.
        """

    async def tail(self, workflow_id: str, after: int, limit: int | None = None) -> Tail | None:
        """What follows the seq `after`, and the head at that same moment; None: unknown, or in the trash."""

    async def heads(self, workflow_ids: list[str]) -> dict[str, Head]:
        """Of those that are not in the trash."""

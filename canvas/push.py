"""A push on its way: what somebody wants committed, what the store knows of it, and what its commit writes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from canvas import protocol
from canvas.access import Role, may, refusal
from canvas.errors import EaselError, Invalid
from canvas.graph import Touched
from canvas.ops import Op, Removed, Restore
from canvas.protocol import Author, Result, Transaction


class Push(msgspec.Struct, eq=False):
    """Ops that somebody wants committed. Numbered (`client_id`, `client_seq`) when they come from a client."""

    author: Author
    ops: list[Op]
    digest: bytes
    session_id: str | None = None
    refused: EaselError | None = None
    """Why it is refused whatever the document says: the role, or ops that are none."""
    undo_of: int | None = None
    """The transaction of its author's that it takes back."""
    size_bytes: int = 0
    """Of its message."""
    if_seq: int | None = None
    """It was meant for the document at this seq, and for no other."""

    @property
    def client(self) -> tuple[str, str] | None:
        return (self.author.user_id, self.author.client_id) if self.author.client_id is not None else None

    @property
    def reaches_back(self) -> bool:
        """Only who reads the log can decide it."""
        return self.undo_of is not None or any(self.restored())

    def restored(self) -> Iterable[int]:
        """The transactions whose removed records it wants back."""
        return (op.seq for op in self.ops if isinstance(op, Restore))


Decision = tuple[Push, Result]
"""A push and what it is answered."""


class Answered(msgspec.Struct, frozen=True):
    """A push of the past: what it was and what it was answered."""

    digest: bytes
    result: Result


class Ledger(msgspec.Struct):
    """What the store knows of a client's numbers, read under the workflow's lock."""

    last: dict[tuple[str, str], int]
    answered: dict[tuple[str, str, int], Answered]


class Past(msgspec.Struct, frozen=True):
    """What a batch's restores and undos reach back to, read under the workflow's lock."""

    removed_by: dict[int, Removed] = {}
    log: list[Transaction] = []
    """From the oldest transaction that is undone to the head."""


class Batch(msgspec.Struct):
    """Everything one commit writes."""

    seq: int
    decisions: list[Decision] = []
    transactions: list[Transaction] = []
    encoded: list[bytes] = []
    """Its transactions, once `Room.told` has put them into words."""
    removed: dict[int, Removed] = {}
    numbered: list[Decision] = []
    """Pushes whose number is used now: not those answered before, not those after a gap."""
    touched: Touched = msgspec.field(default_factory=lambda: Touched({}, {}, None))
    end: int = 0
    """Where the document's journal stood when it was decided: what comes after it belongs to the next batch."""

    @property
    def pushes(self) -> list[Push]:
        return [push for push, _ in self.decisions]

    @property
    def is_empty(self) -> bool:
        return not (self.transactions or self.numbered)

    def stored_at(self, at: datetime) -> None:
        """Its transactions carry the time of the store that has taken them."""
        if self.transactions and self.transactions[0].at != at:
            self.transactions = [msgspec.structs.replace(transaction, at=at) for transaction in self.transactions]


def decode_push(author: Author, role: Role, raw_ops: bytes | msgspec.Raw, *, undo_of: int | None = None) -> Push:
    """Raw ops as a push; what is wrong with them is its answer. Raises Invalid when it could not even be numbered."""
    if author.client_id is not None:
        protocol.check_client(author.client_id, author.client_seq or 0)
    try:
        ops = protocol.decode_ops(raw_ops)
    except Invalid as error:
        return Push(author, [], protocol.digest_of_raw(raw_ops), refused=error)
    refused = None if may(role, "write") else refusal(role, "write")
    return Push(author, ops, protocol.digest_of(ops), refused=refused, undo_of=undo_of)

"""A long stretch of the log in fewer bytes: what is written over later in it is left out (rule RS7).

Every transaction stays, with its seq and author, so that nobody who hears it notices a gap; only its ops become fewer.
"""

from __future__ import annotations

from collections import defaultdict

import msgspec

from canvas.ops import Add, Op, Remove, SetWorkflow, Update
from canvas.protocol import Transaction

_BINDING = frozenset({"/parentId", "/source", "/target"})
"""What a removal takes along, and where a node is drawn, depends on every value that these had."""

_Record = tuple[str, str]


def compacted(transactions: list[Transaction]) -> list[Transaction]:
    """The same end from the same beginning."""
    written: defaultdict[_Record, set[str]] = defaultdict(set)
    """Pointers that are set later, with nothing in between that needs what was there before."""
    shorter: list[Transaction] = []
    for transaction in reversed(transactions):
        kept = [op for op in (_needed(op, written) for op in reversed(transaction.ops)) if op is not None]
        shorter.append(msgspec.structs.replace(transaction, ops=kept[::-1]))
    return shorter[::-1]


def _needed(op: Op, written: defaultdict[_Record, set[str]]) -> Op | None:
    match op:
        case Update():
            return _needed_update(op, written[op.kind, op.id])
        case SetWorkflow():
            later = written["workflow", ""]
            kept = {pointer: value for pointer, value in op.set.items() if pointer not in later}
            later.update(op.set)
            return SetWorkflow(kept) if kept else None
        case Add():
            written.pop((op.kind, op.record["id"]), None)
        case Remove():
            for id_ in op.ids:
                written.pop((op.kind, id_), None)
        case _:  # the log holds no restore: it is written out as adds
            pass
    return op


def _needed_update(op: Update, later: set[str]) -> Update | None:
    kept = {pointer: value for pointer, value in op.set.items() if pointer not in later}
    touched = (*op.set, *op.unset)
    # `/data/a/b` needs the `/data/a` before it, however often that is written later.
    later.difference_update([pointer for pointer in later if any(one.startswith(f"{pointer}/") for one in touched)])
    later.update(pointer for pointer in op.set if pointer not in _BINDING)
    if len(kept) == len(op.set):
        return op
    return Update(op.kind, op.id, kept, op.unset, op.parentId) if kept or op.unset else None

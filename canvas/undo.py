"""An undo takes back one's own work only: what others have written since is left as they wrote it (rule UN1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import msgspec

from canvas.errors import Forbidden
from canvas.graph import Graph, Kind
from canvas.ops import Add, Op, Remove, SetWorkflow, Update
from canvas.pointers import Refused
from canvas.protocol import Author, Transaction

_COUPLED = {
    **dict.fromkeys(("parentId", "position", "extent", "expandParent"), "frame"),
    **dict.fromkeys(("width", "height"), "size"),
    **dict.fromkeys(("source", "target", "sourceHandle", "targetHandle"), "ends"),
}
"""Keys that are one register (CONTRACT §5): whoever wrote one of them wrote them all."""

_Target = tuple[Kind | Literal["workflow"], str]


class _Written(msgspec.Struct):
    """What others have written since."""

    pointers: defaultdict[_Target, set[str]] = msgspec.field(default_factory=lambda: defaultdict(set))
    moved_in: set[str] = msgspec.field(default_factory=set)
    """Nodes that they added, or put into another parent."""


def own_part(ops: list[Op], undo_of: int, author: Author, log: Iterable[Transaction], graph: Graph) -> list[Op]:
    """What of `ops` may be done to undo transaction `undo_of`; `log` begins there or before.

    Raises Refused (NOT_FOUND) when the log does not reach back to it, Forbidden when it was another account's.
    """
    later = [transaction for transaction in log if transaction.seq >= undo_of]
    if not later or later[0].seq != undo_of:
        raise Refused(f"Transaction {undo_of} is not in the log any more: it cannot be undone.", code="NOT_FOUND")
    if later[0].by.user_id != author.user_id:
        raise Forbidden(f"Transaction {undo_of} is somebody else's: undo takes back one's own work.")
    written = _written(one for one in later if (one.by.user_id, one.by.client_id) != (author.user_id, author.client_id))
    kept = (_kept(op, written, graph) for op in ops)
    return [op for op in kept if op is not None]


def _written(transactions: Iterable[Transaction]) -> _Written:
    written = _Written()
    for transaction in transactions:
        for op in transaction.ops:
            match op:
                case Update():
                    written.pointers[op.kind, op.id].update(op.set, op.unset)
                    if op.kind == "node" and "/parentId" in op.set:
                        written.moved_in.add(op.id)
                case SetWorkflow():
                    written.pointers["workflow", ""].update(op.set)
                case Add(kind="node"):
                    written.moved_in.add(op.record["id"])
                case _:
                    pass
    return written


def _kept(op: Op, written: _Written, graph: Graph) -> Op | None:
    match op:
        case Update():
            theirs = written.pointers.get((op.kind, op.id), set())
            taken = {_register(pointer) for pointer in (*op.set, *op.unset) if _is_theirs(pointer, theirs)}
            set_ = {pointer: value for pointer, value in op.set.items() if _register(pointer) not in taken}
            unset = tuple(pointer for pointer in op.unset if _register(pointer) not in taken)
            if not taken:
                return op
            return Update(op.kind, op.id, set_, unset, op.parentId) if set_ or unset else None
        case SetWorkflow():
            theirs = written.pointers.get(("workflow", ""), set())
            set_ = {pointer: value for pointer, value in op.set.items() if pointer not in theirs}
            return op if len(set_) == len(op.set) else SetWorkflow(set_) if set_ else None
        case Remove(kind="node"):
            in_use = _around(written.moved_in.difference(op.ids), graph)
            ids = tuple(id_ for id_ in op.ids if id_ not in in_use)
            return op if len(ids) == len(op.ids) else Remove("node", ids) if ids else None
        case _:
            return op


def _around(node_ids: set[str], graph: Graph) -> set[str]:
    """Every node that one of them is inside of: to remove it would remove what is theirs."""
    found: set[str] = set()
    for node_id in node_ids & graph.nodes.keys():
        parent_id = graph.nodes[node_id].record.get("parentId")
        while parent_id is not None and parent_id not in found:
            found.add(parent_id)
            parent_id = graph.nodes[parent_id].record.get("parentId")
    return found


def _register(pointer: str) -> str:
    return _COUPLED.get(pointer.split("/", 2)[1] if pointer.startswith("/") else "", pointer)


def _is_theirs(pointer: str, theirs: set[str]) -> bool:
    """Whether they wrote the same register, or above or below it."""
    return any(
        _register(pointer) == _register(other) or pointer.startswith(f"{other}/") or other.startswith(f"{pointer}/")
        for other in theirs
    )

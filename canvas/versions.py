"""What a version holds, how two of them differ, the way back to one as ops, and when one is due by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from canvas.errors import Invalid
from canvas.graph import Graph, Kind, Record
from canvas.ops import Add, Op, Remove, SetWorkflow, Update
from canvas.pointers import same
from canvas.values import check_json

MAX_NAME_CHARACTERS = 200
DUE_TRANSACTIONS = 200
DUE_BYTES = 1 << 20  # of ops: about what an import of two thousand nodes writes
DUE_AFTER = timedelta(minutes=10)

_RUN_KEYS = frozenset({"status", "jobId", "updatedAt"})
"""What a live run says of itself in its node's `data`."""
_LIVE = frozenset({"pending", "running"})
_NEVER_UNSET = frozenset({"position", "source", "target"})


class Contents(msgspec.Struct, frozen=True):
    """A document as it was drawn. The workflow's name is not part of it: a restore does not rename."""

    nodes: list[Record]
    edges: list[Record]
    viewport: Any


def contents_of(graph: Graph) -> Contents:
    return Contents(graph.nodes_in_order(), graph.edges_in_order(), graph.viewport)


def checked_name(name: str) -> str:
    """Raises Invalid for a name that says nothing, or too much."""
    check_json(name)
    if not name.strip():
        raise Invalid("A version's name cannot be empty. Leave it out to keep a version without one.")
    if len(name) > MAX_NAME_CHARACTERS:
        raise Invalid(f"A version's name has at most {MAX_NAME_CHARACTERS} characters.")
    return name


# When a version is due


class Unkept(NamedTuple):
    """What was committed after the newest version."""

    transactions: int
    size_bytes: int
    since: datetime
    """The time of the first of them: a quiet year before it is not work that could be lost."""


def is_due(unkept: Unkept, now: datetime) -> bool:
    """Whether the document deserves an automatic version; never when nothing changed since the last one."""
    if unkept.transactions <= 0:
        return False
    is_much = unkept.transactions >= DUE_TRANSACTIONS or unkept.size_bytes >= DUE_BYTES
    return is_much or now - unkept.since >= DUE_AFTER


# How two differ


class Changed(msgspec.Struct, frozen=True):
    id: str
    keys: list[str]
    """The top-level keys that were set, changed or removed."""


class Delta(msgspec.Struct, frozen=True):
    added: list[str]
    removed: list[str]
    changed: list[Changed]


class Comparison(msgspec.Struct, frozen=True):
    """What has to happen to the first of two documents to get the second. Their drawing order is not compared."""

    nodes: Delta
    edges: Delta
    viewport: bool
    """Whether it differs."""


def compare(one: Contents, other: Contents) -> Comparison:
    return Comparison(
        nodes=_delta(one.nodes, other.nodes),
        edges=_delta(one.edges, other.edges),
        viewport=not same(one.viewport, other.viewport),
    )


def _delta(before: list[Record], after: list[Record]) -> Delta:
    old, new = _by_id(before), _by_id(after)
    both = ((id_, _changed_keys(old[id_], record)) for id_, record in new.items() if id_ in old)
    return Delta(
        added=[id_ for id_ in new if id_ not in old],
        removed=[id_ for id_ in old if id_ not in new],
        changed=[Changed(id_, keys) for id_, keys in both if keys],
    )


def _by_id(records: list[Record]) -> dict[str, Record]:
    return {record["id"]: record for record in records}


def _changed_keys(before: Record, after: Record) -> list[str]:
    """In the order of `after`, then what it lacks."""
    if same(before, after):  # nearly all of them: one look at the whole costs less than one a key
        return []
    changed = [key for key, value in after.items() if key not in before or not same(before[key], value)]
    return changed + [key for key in before if key not in after]


# The way back


def difference(now: Graph, then: Contents) -> list[Op]:
    """The ops that turn the document `now` into `then`; none when it is that already.

    What is added takes its old place in the order; what is there all along keeps the place that it has. What a live
    run says in its node stays, and a run that was live back then is not brought to life again.
    """
    nodes = {record["id"]: _with_runs_of(now, record) for record in then.nodes}
    edges = _by_id(then.edges)
    gone_nodes = _gone(now, "node", nodes)
    gone_edges = _gone(now, "edge", edges) | {edge for node in gone_nodes for edge in now.incident.get(node, ())}
    orphans = [child for node in sorted(gone_nodes) for child in sorted(now.children.get(node, set()) - gone_nodes)]
    ops: list[Op] = [Update("node", child, unset=("/parentId",)) for child in orphans]
    if gone_edges:
        ops.append(Remove("edge", tuple(sorted(gone_edges))))
    if gone_nodes:
        ops.append(Remove("node", tuple(sorted(gone_nodes))))
    # Parents come first in `then`, so each node's new parent is there, and where it belongs, when its turn comes:
    # no op on the way is a cycle.
    ops.extend(_puts(now, "node", nodes, gone_nodes, frozenset(orphans)))
    ops.extend(_puts(now, "edge", edges, gone_edges, frozenset()))
    if not same(now.viewport, then.viewport):
        ops.append(SetWorkflow({"/viewport": then.viewport}))
    return ops


def _with_runs_of(now: Graph, record: Record) -> Record:
    """`record` as it can be today: with what its node's live run says now, without a run that has ended since."""
    placed = now.nodes.get(record["id"])
    said = _said_by_live_run(placed.record) if placed is not None else {}
    if not said and not _said_by_live_run(record):
        return record
    kept = {key: value for key, value in record.get("data", {}).items() if key not in _RUN_KEYS}
    return {**record, "data": kept | said}


def _said_by_live_run(record: Record) -> dict[str, Any]:
    data = record.get("data")
    if not isinstance(data, dict) or "jobId" not in data:
        return {}
    status = data.get("status")
    if not isinstance(status, str) or status not in _LIVE:
        return {}
    return {key: data[key] for key in _RUN_KEYS if key in data}


def _gone(now: Graph, kind: Kind, wanted: dict[str, Record]) -> frozenset[str]:
    """Those to be removed: they were not there, or no update leads from what they are to what they were."""
    return frozenset(
        id_
        for id_, placed in now.table(kind).items()
        if id_ not in wanted or not _can_become(placed.record, wanted[id_])
    )


def _can_become(before: Record, after: Record) -> bool:
    """Ops set `data` to an object only, and never remove what an end or a place is called, on whichever kind."""
    data = after.get("data", {})
    if not isinstance(data, dict) and not ("data" in before and same(before["data"], data)):
        return False
    return not any(key in before and key not in after for key in _NEVER_UNSET)


def _puts(now: Graph, kind: Kind, wanted: dict[str, Record], gone: frozenset[str], orphans: frozenset[str]) -> list[Op]:
    """Each wanted record added or updated, in drawing order, so that everything below an `index` is in place."""
    table = now.table(kind)
    ops: list[Op] = []
    for index, (id_, record) in enumerate(wanted.items()):
        placed = table.get(id_)
        if placed is None or id_ in gone:
            ops.append(Add(kind, record, index))
            continue
        before = placed.record
        if id_ in orphans:
            before = {key: value for key, value in before.items() if key != "parentId"}
        update = _update(kind, before, record)
        if update is not None:
            ops.append(update)
    return ops


def _update(kind: Kind, before: Record, after: Record) -> Update | None:
    """One pointer a top-level key, and one a key of `data`: the registers in which edits meet."""
    set_: dict[str, Any] = {}
    unset: list[str] = []
    for key in _changed_keys(before, after):
        old, new = before.get(key), after.get(key)
        if key == "data" and isinstance(old, dict) and isinstance(new, dict):
            for inner in _changed_keys(old, new):
                _put(set_, unset, _pointer("data", inner), new, inner)
        else:
            _put(set_, unset, _pointer(key), after, key)
    return Update(kind, after["id"], set_, tuple(unset)) if set_ or unset else None


def _put(set_: dict[str, Any], unset: list[str], pointer: str, after: dict[str, Any], key: str) -> None:
    if key in after:
        set_[pointer] = after[key]
    else:
        unset.append(pointer)


def _pointer(*keys: str) -> str:
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)

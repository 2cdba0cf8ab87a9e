"""Operations: what a client may ask of a document, and what then really happens to it.

`apply` takes one asked-for op, changes the graph, and answers the *effective* ops: what every
replica does to stay equal.
A refused op raises `Refused`; the caller rolls the graph back. `replay` repeats effective ops from the log.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from canvas.errors import Invalid
from canvas.graph import Graph, Kind, Placed, Record
from canvas.values import check_json

MAX_RECORD_BYTES = 1 << 20
MAX_NODES = 20_000
MAX_EDGES = 40_000
MAX_ID_CHARACTERS = 256
MAX_NAME_CHARACTERS = 200

TRANSIENT = frozenset({"selected", "dragging", "resizing", "measured", "internals", "positionAbsolute"})
"""Keys that React Flow keeps for one browser. They are never stored."""

_encode = msgspec.json.Encoder().encode


class Add(msgspec.Struct, frozen=True, tag_field="op", tag="add", forbid_unknown_fields=True, omit_defaults=True):
    kind: Kind
    record: Record
    index: int | None = None


class Update(msgspec.Struct, frozen=True, tag_field="op", tag="update", forbid_unknown_fields=True, omit_defaults=True):
    """`set` and `unset` name registers by JSON pointer; `parentId` says in which parent `/position` was computed."""

    kind: Kind
    id: str
    set: dict[str, Any] = {}
    unset: tuple[str, ...] = ()
    parentId: str | msgspec.UnsetType | None = msgspec.UNSET  # noqa: N815 - the wire's name


class Remove(msgspec.Struct, frozen=True, tag_field="op", tag="remove", forbid_unknown_fields=True):
    kind: Kind
    ids: tuple[str, ...]


class Restore(msgspec.Struct, frozen=True, tag_field="op", tag="restore", forbid_unknown_fields=True):
    """Bring back what transaction `seq` removed."""

    seq: int


class SetWorkflow(msgspec.Struct, frozen=True, tag_field="op", tag="workflow", forbid_unknown_fields=True):
    set: dict[str, Any]


Op = Add | Update | Remove | Restore | SetWorkflow


class Removed(msgspec.Struct, omit_defaults=True):
    """The records a transaction removed, kept so that it can be undone."""

    nodes: list[Placed] = []
    edges: list[Placed] = []

    def __bool__(self) -> bool:
        return bool(self.nodes or self.edges)


class Refused(Invalid):
    """An op that the document's rules do not allow; the push it belongs to has no effect at all."""


class Change:
    """One transaction in the making: applies ops to the graph and gathers what they amount to."""

    def __init__(self, graph: Graph, seq: int, removed_by: dict[int, Removed]) -> None:
        self._graph = graph
        self._seq = seq
        self._added = 0
        self._removed_by = removed_by
        self.effective: list[Op] = []
        self.removed = Removed(nodes=[], edges=[])

    def apply(self, op: Op) -> None:
        """Raises Invalid with the rule that was broken; the graph may then be half changed: roll it back."""
        match op:
            case Add():
                self._add(op)
            case Update():
                self._update(op)
            case Remove():
                self._remove(op)
            case Restore():
                self._restore(op)
            case SetWorkflow():
                self._set_workflow(op)

    # add

    def _add(self, op: Add) -> None:
        record = clean_node(op.record) if op.kind == "node" else clean_edge(op.record)
        existing = self._graph.table(op.kind).get(record["id"])
        if existing is not None:
            if _same(existing.record, record):
                return
            raise Refused(f"There is already another {op.kind} with the id “{record['id']}”.", code="ID_EXISTS")
        self._check_room(op.kind)
        self._check_ends(op.kind, record)
        self._put_new(op.kind, record, op.index)
        self.effective.append(op if record is op.record else Add(op.kind, record, op.index))

    def _put_new(self, kind: Kind, record: Record, index: int | None) -> None:
        # Places come from seq alone, so that every process gives the same one without asking (see Graph.place_at).
        self._added += 1
        at_end = self._seq + self._added / (1 << 20)
        place = at_end if index is None else self._graph.place_at(kind, max(index, 0), at_end=at_end)
        self._graph.put(kind, record, place)

    def _check_room(self, kind: Kind) -> None:
        limit = MAX_NODES if kind == "node" else MAX_EDGES
        if len(self._graph.table(kind)) >= limit:
            raise Refused(f"A workflow holds at most {limit} {kind}s.", code="LIMIT_REACHED")

    def _check_ends(self, kind: Kind, record: Record) -> None:
        if kind == "node":
            self._check_parent(record["id"], record.get("parentId"))
            return
        for end in ("source", "target"):
            if record[end] not in self._graph:
                detail = f"The edge's {end} “{record[end]}” does not exist."
                raise Refused(detail, code="DANGLING_EDGE")

    def _check_parent(self, node_id: str, parent_id: str | None) -> None:
        if parent_id is None:
            return
        if parent_id not in self._graph:
            raise Refused(f"The parent “{parent_id}” does not exist.", code="BAD_PARENT")
        current: str | None = parent_id
        while current is not None:
            if current == node_id:
                raise Refused("A node cannot be inside itself.", code="BAD_PARENT")
            current = self._graph.nodes[current].record.get("parentId")

    # update

    def _update(self, op: Update) -> None:
        placed = self._graph.table(op.kind).get(op.id)
        if placed is None:
            return  # delete wins
        record = placed.record
        values = self._frame_of(op, record) if op.kind == "node" and "/position" in op.set else op.set
        changed, set_, unset = record, {}, []
        for pointer, value in values.items():
            after = _with(changed, pointer, value)
            if after is not changed:
                changed, set_[pointer] = after, value
        for pointer in op.unset:
            after = _without(changed, pointer)
            if after is not changed:
                changed = after
                unset.append(pointer)
        if changed is record:
            return
        self._check_updated(op.kind, record, changed)
        self._graph.put(op.kind, changed)
        is_verbatim = len(set_) == len(op.set) and len(unset) == len(op.unset) and values is op.set
        self.effective.append(op if is_verbatim else Update(op.kind, op.id, set_, tuple(unset)))

    def _check_updated(self, kind: Kind, before: Record, after: Record) -> None:
        if kind == "node":
            _check_position(after.get("position"))
            if after.get("parentId") != before.get("parentId"):
                _check_optional_id(after.get("parentId"), "parentId")
                self._check_parent(after["id"], after.get("parentId"))
        else:
            _check_edge_ends(after)
            self._check_ends("edge", after)

    def _frame_of(self, op: Update, record: Record) -> dict[str, Any]:
        """The op's registers with `/position` turned from the parent it was computed in to the one it will have."""
        _check_position(op.set["/position"])
        will_be = op.set.get("/parentId", None if "/parentId" in op.unset else record.get("parentId"))
        if op.parentId is msgspec.UNSET or op.parentId == will_be:
            return op.set
        if (op.parentId is not None and op.parentId not in self._graph) or (
            will_be is not None and will_be not in self._graph
        ):
            return {pointer: value for pointer, value in op.set.items() if pointer != "/position"}
        from_x, from_y = self._graph.absolute_position(op.parentId)
        to_x, to_y = self._graph.absolute_position(will_be)
        position = op.set["/position"]
        converted = {**position, "x": position["x"] + from_x - to_x, "y": position["y"] + from_y - to_y}
        return {**op.set, "/position": converted}

    # remove

    def _remove(self, op: Remove) -> None:
        present = tuple(dict.fromkeys(id_ for id_ in op.ids if id_ in self._graph.table(op.kind)))
        if not present:
            return
        if op.kind == "edge":
            self.removed.edges.extend(self._graph.drop("edge", id_) for id_ in present)
            self.effective.append(op if present == op.ids else Remove("edge", present))
            return
        nodes = tuple(dict.fromkeys([*present, *(below for id_ in present for below in self._graph.descendants(id_))]))
        edges = tuple(sorted({edge for node in nodes for edge in self._graph.incident.get(node, ())}))
        if edges:
            self.removed.edges.extend(self._graph.drop("edge", id_) for id_ in edges)
            self.effective.append(Remove("edge", edges))
        self.removed.nodes.extend(self._graph.drop("node", id_) for id_ in nodes)
        self.effective.append(op if nodes == op.ids else Remove("node", nodes))

    # restore and workflow

    def _restore(self, op: Restore) -> None:
        removed = self._removed_by.get(op.seq)
        if removed is None:
            raise Refused(f"Transaction {op.seq} is not in the log any more.", code="NOT_FOUND")
        waiting = [node for node in removed.nodes if node.record["id"] not in self._graph]
        back = {node.record["id"] for node in waiting}
        while waiting:  # parents first
            ready = [node for node in waiting if node.record.get("parentId") not in back]
            waiting = [node for node in waiting if node not in ready]
            back -= {node.record["id"] for node in ready}
            for node in ready:
                if (parent_id := node.record.get("parentId")) is None or parent_id in self._graph:
                    self._put_back("node", node)
        for edge in removed.edges:
            ends_stand = edge.record["source"] in self._graph and edge.record["target"] in self._graph
            if ends_stand and edge.record["id"] not in self._graph.edges:
                self._put_back("edge", edge)

    def _put_back(self, kind: Kind, placed: Placed) -> None:
        self._check_room(kind)
        table = self._graph.table(kind)
        index = sum(1 for other in table.values() if other.ord < placed.ord)
        self._put_new(kind, placed.record, index)
        self.effective.append(Add(kind, placed.record, index))

    def _set_workflow(self, op: SetWorkflow) -> None:
        name, viewport = self._graph.name, self._graph.viewport
        for pointer, value in op.set.items():
            match pointer:
                case "/name":
                    name = clean_name(value)
                case "/viewport":
                    check_json(value)
                    viewport = value
                case _:
                    raise Refused(f"A workflow has no “{pointer}”; set /name or /viewport.", code="BAD_POINTER")
        if name == self._graph.name and _same(viewport, self._graph.viewport):
            return
        self._graph.set_workflow(name=name, viewport=viewport)
        self.effective.append(op)


def check_sizes(graph: Graph, mark: int) -> None:
    """Refuse the push that made a record larger than a record may be."""
    touched = graph.touched(mark)
    for placed in (*touched.nodes.values(), *touched.edges.values()):
        if placed is not None and len(_encode(placed.record)) > MAX_RECORD_BYTES:
            detail = f"“{placed.record['id']}” would be larger than {MAX_RECORD_BYTES >> 20} MiB."
            raise Refused(detail, code="RECORD_TOO_LARGE")


def replay(graph: Graph, seq: int, ops: list[Op]) -> None:
    """Repeat a committed transaction's effective ops on another replica."""
    change = Change(graph, seq, {})
    for op in ops:
        change.apply(op)


# What a record must be


def clean_node(record: Record) -> Record:
    """The record as it is stored: transient keys gone, `parentNode` read as `parentId`. Raises Invalid."""
    if not TRANSIENT.isdisjoint(record) or "parentNode" in record:
        parent = record.get("parentId", record.get("parentNode"))
        record = {key: value for key, value in record.items() if key not in TRANSIENT and key != "parentNode"}
        if parent:
            record["parentId"] = parent
    _check_id(record.get("id"), "id")
    _check_position(record.get("position"))
    _check_optional_id(record.get("parentId"), "parentId")
    check_json(record)
    if record.get("type") is not None and not isinstance(record["type"], str):
        raise Invalid("A node's type is a string.")
    if "data" in record and not isinstance(record["data"], dict):
        raise Invalid("A node's data is an object.")
    return record


def clean_edge(record: Record) -> Record:
    """The record as it is stored. Raises Invalid."""
    if not TRANSIENT.isdisjoint(record):
        record = {key: value for key, value in record.items() if key not in TRANSIENT}
    _check_id(record.get("id"), "id")
    _check_edge_ends(record)
    check_json(record)
    return record


def clean_name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Invalid("A workflow needs a name.")
    check_json(value)
    if len(value) > MAX_NAME_CHARACTERS:
        raise Invalid(f"A workflow's name has at most {MAX_NAME_CHARACTERS} characters.")
    return value


def _check_edge_ends(record: Record) -> None:
    for end in ("source", "target"):
        _check_id(record.get(end), end)


def _check_id(value: Any, name: str) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_CHARACTERS:
        raise Invalid(f"“{name}” must be a string of 1 to {MAX_ID_CHARACTERS} characters.")


def _check_optional_id(value: Any, name: str) -> None:
    if value is not None:
        _check_id(value, name)


def _check_position(value: Any) -> None:
    def is_number(number: Any) -> bool:
        return isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)

    if not isinstance(value, dict) or not is_number(value.get("x")) or not is_number(value.get("y")):
        raise Invalid("A node's position is {“x”: number, “y”: number}.")


# Pointers (RFC 6901): a whole register, or a path inside `data`

_FORBIDDEN_KEYS = frozenset({"__proto__", "prototype", "constructor"})
_REQUIRED_KEYS = frozenset({"position", "source", "target"})


def _path(pointer: str) -> tuple[str, ...]:
    if not pointer.startswith("/"):
        raise Refused(f"“{pointer}” is not a pointer: it starts with “/”.", code="BAD_POINTER")
    path = tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))
    if path[0] == "id" or path[0] == "parentNode" or path[0] in TRANSIENT:
        raise Refused(f"“/{path[0]}” cannot be changed.", code="BAD_POINTER")
    if len(path) > 1 and path[0] != "data":
        raise Refused(f"“/{path[0]}” is one value: set it whole.", code="BAD_POINTER")
    if not _FORBIDDEN_KEYS.isdisjoint(path):
        raise Refused(f"“{pointer}” is not allowed.", code="BAD_POINTER")
    return path


def _with(record: Record, pointer: str, value: Any) -> Record:
    """A copy of `record` with `value` at `pointer`, or `record` itself when it is there already."""
    path = _path(pointer)
    check_json(value, depth=len(path))
    for key in path:
        check_json(key)
    if path == ("data",) and not isinstance(value, dict):
        raise Refused("A record's data is an object.", code="BAD_POINTER")
    return _set_in({"data": {}, **record} if len(path) > 1 else record, path, value, unchanged=record)


def _set_in(below: Record, path: tuple[str, ...], value: Any, *, unchanged: Record) -> Record:
    key = path[0]
    if len(path) == 1:
        return unchanged if key in below and _same(below[key], value) else {**below, key: value}
    inner = _object_at(below, key)
    changed = _set_in(inner, path[1:], value, unchanged=inner)
    return unchanged if changed is inner else {**below, key: changed}


def _without(record: Record, pointer: str) -> Record:
    """A copy of `record` without what is at `pointer`, or `record` itself when there is nothing."""
    path = _path(pointer)
    if path[0] in _REQUIRED_KEYS:
        raise Refused(f"“/{path[0]}” cannot be removed.", code="BAD_POINTER")
    return _unset_in(record, path)


def _unset_in(below: Record, path: tuple[str, ...]) -> Record:
    key = path[0]
    if key not in below:
        return below
    if len(path) == 1:
        return {other: value for other, value in below.items() if other != key}
    inner = _object_at(below, key)
    changed = _unset_in(inner, path[1:])
    return below if changed is inner else {**below, key: changed}


def _object_at(below: Record, key: str) -> Record:
    inner = below.get(key)
    if not isinstance(inner, dict):
        raise Refused(f"There is no object at “{key}” to go through.", code="BAD_POINTER")
    return inner


def _same(one: Any, other: Any) -> bool:
    # Not `==`: in Python True is 1 and 1 is 1.0, in JSON they are not.
    return one is other or _encode(one) == _encode(other)

"""Operations: what a client may ask of a document, and what then really happens to it.

`apply` takes one asked-for op, changes the graph, and answers the *effective* ops: what every
replica does to stay equal.
A refused op raises `Refused`; the caller rolls the graph back. `replay` repeats effective ops from the log.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from canvas.errors import Invalid
from canvas.graph import Graph, Kind, Placed, Record
from canvas.pointers import TRANSIENT, Refused, same, with_value, without
from canvas.values import MAX_SAFE_INTEGER, check_json, is_coordinate, is_viewport

MAX_RECORD_BYTES = 1 << 20
MAX_NODES = 20_000
MAX_EDGES = 40_000
MAX_ID_CHARACTERS = 256
MAX_IMPORTED_EDGE_ID_CHARACTERS = 1024  # real products write both handles into an edge's id
MAX_NAME_CHARACTERS = 200

_encode = msgspec.json.Encoder().encode


class Add(msgspec.Struct, frozen=True, tag_field="op", tag="add", forbid_unknown_fields=True, omit_defaults=True):
    kind: Kind
    record: Record
    index: Annotated[int, msgspec.Meta(ge=0, le=MAX_SAFE_INTEGER)] | None = None


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

    seq: Annotated[int, msgspec.Meta(ge=0, le=MAX_SAFE_INTEGER)]


class SetWorkflow(msgspec.Struct, frozen=True, tag_field="op", tag="workflow", forbid_unknown_fields=True):
    set: dict[str, Any]


Op = Add | Update | Remove | Restore | SetWorkflow


class Removed(msgspec.Struct, omit_defaults=True):
    """The records a transaction removed, kept so that it can be undone."""

    nodes: list[Placed] = []
    edges: list[Placed] = []

    def __bool__(self) -> bool:
        return bool(self.nodes or self.edges)


class Change:
    """One transaction in the making: applies ops to the graph and gathers what they amount to.

    `is_clean`: what is added was cleaned before, by an import or by whoever committed it.
    """

    def __init__(self, graph: Graph, seq: int, removed_by: dict[int, Removed], *, is_clean: bool = False) -> None:
        self._graph = graph
        self._seq = seq
        self._added = 0
        self._applied = 0
        self._removed_by = removed_by
        self._is_clean = is_clean
        self.effective: list[Op] = []
        self.removed = Removed(nodes=[], edges=[])

    def apply(self, op: Op) -> None:
        """Raises Invalid with the rule that was broken; the graph may then be half changed: roll it back."""
        index, self._applied = self._applied, self._applied + 1
        try:
            self._apply(op)
        except Invalid as error:
            error.facts["opIndex"] = index
            raise

    def _apply(self, op: Op) -> None:
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
        record = op.record
        if not self._is_clean:
            record = clean_node(record) if op.kind == "node" else clean_edge(record)
        existing = self._graph.table(op.kind).get(record["id"])
        if existing is not None:
            if same(existing.record, record):
                return
            raise Refused(f"There is already another {op.kind} with the id “{record['id']}”.", code="ID_EXISTS")
        self._check_room(op.kind)
        self._check_ends(op.kind, record)
        self._put_new(op.kind, record, op.index)
        self.effective.append(op if record is op.record else Add(op.kind, record, op.index))

    def _put_new(self, kind: Kind, record: Record, index: int | None) -> None:
        parent_id = record.get("parentId") if kind == "node" else None
        if index is not None and parent_id is not None:  # React Flow skips a child that comes before its parent
            index = max(index, self._graph.rank("node", self._graph.nodes[parent_id].ord) + 1)
        at_end = self._next_place()
        self._graph.put(kind, record, at_end if index is None else self._graph.place_at(kind, index, at_end=at_end))

    def _next_place(self) -> float:
        """A place after every other. It comes from seq alone, so that every process gives the same one unasked."""
        self._added += 1
        return self._seq + self._added / (1 << 20)

    def _follow_parent(self, record: Record) -> None:
        """Into a parent that is drawn after it, a node goes with everything inside it: to the end, in their order."""
        nodes, parent_id = self._graph.nodes, record.get("parentId")
        if parent_id is None or nodes[parent_id].ord < nodes[record["id"]].ord:
            return
        for node_id in sorted([record["id"], *self._graph.descendants(record["id"])], key=lambda id_: nodes[id_].ord):
            self._graph.put("node", nodes[node_id].record, self._next_place())

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
            after = with_value(changed, pointer, value)
            if after is not changed:
                changed, set_[pointer] = after, value
        for pointer in op.unset:
            after = without(changed, pointer)
            if after is not changed:
                changed = after
                unset.append(pointer)
        if changed is record:
            return
        self._check_updated(op.kind, record, changed)
        self._graph.put(op.kind, changed)
        if op.kind == "node" and changed.get("parentId") != record.get("parentId"):
            self._follow_parent(changed)
        is_verbatim = len(set_) == len(op.set) and len(unset) == len(op.unset) and values is op.set
        self.effective.append(op if is_verbatim else Update(op.kind, op.id, set_, tuple(unset)))

    def _check_updated(self, kind: Kind, before: Record, after: Record) -> None:
        if kind == "node":
            _check_position(after.get("position"))
            _check_type(after)
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
        self._put_back("node", removed.nodes)
        self._put_back("edge", removed.edges)

    def _put_back(self, kind: Kind, removed: list[Placed]) -> None:
        """Each where it stood among the others, unless it is there again or has lost its parent or an end."""
        table = self._graph.table(kind)
        back: list[float] = []
        for placed in sorted(removed, key=attrgetter("ord")):  # parents first, too
            record = placed.record
            if record["id"] in table or not self._has_support(kind, record):
                continue
            self._check_room(kind)
            # Those that came back just now have new places, but stand where they stood: below this one.
            index = self._graph.rank(kind, placed.ord) + len(back) - bisect_left(back, placed.ord)
            self._put_new(kind, record, index)
            insort(back, table[record["id"]].ord)
            self.effective.append(Add(kind, record, index))

    def _has_support(self, kind: Kind, record: Record) -> bool:
        if kind == "edge":
            return record["source"] in self._graph and record["target"] in self._graph
        parent_id = record.get("parentId")
        return parent_id is None or parent_id in self._graph

    def _set_workflow(self, op: SetWorkflow) -> None:
        name, viewport = self._graph.name, self._graph.viewport
        for pointer, value in op.set.items():
            match pointer:
                case "/name":
                    name = clean_name(value)
                case "/viewport":
                    check_json(value)
                    if value is not None and not is_viewport(value):
                        raise Invalid("A viewport is {“x”: number, “y”: number, “zoom”: number}.")
                    viewport = value
                case _:
                    raise Refused(f"A workflow has no “{pointer}”; set /name or /viewport.", code="BAD_POINTER")
        if name == self._graph.name and same(viewport, self._graph.viewport):
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
    change = Change(graph, seq, {}, is_clean=True)
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
    _check_type(record)
    if "data" in record and not isinstance(record["data"], dict):
        raise Invalid("A node's data is an object.")
    return record


def clean_edge(record: Record, *, max_id: int = MAX_ID_CHARACTERS) -> Record:
    """The record as it is stored. Raises Invalid."""
    if not TRANSIENT.isdisjoint(record):
        record = {key: value for key, value in record.items() if key not in TRANSIENT}
    _check_id(record.get("id"), "id", max_id)
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


def _check_id(value: Any, name: str, max_characters: int = MAX_ID_CHARACTERS) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= max_characters:
        raise Invalid(f"“{name}” must be a string of 1 to {max_characters} characters.")
    if value in {".", ".."}:  # in a URL they would name the folder above, and a DELETE something else
        raise Invalid(f"“{name}” cannot be “{value}”.")


def _check_optional_id(value: Any, name: str) -> None:
    if value is not None:
        _check_id(value, name)


def _check_type(record: Record) -> None:
    if record.get("type") is not None and not isinstance(record["type"], str):
        raise Invalid("A node's type is a string.")


def _check_position(value: Any) -> None:
    if not isinstance(value, dict) or not is_coordinate(value.get("x")) or not is_coordinate(value.get("y")):
        raise Invalid("A node's position is {“x”: number, “y”: number}, each at most 10^15 from the middle.")

"""The document: nodes and edges in drawing order, with a journal so that what was not committed can be taken back.

A record is a plain dict and is never changed in place: a change puts a new dict, so a journal entry is a reference.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

Record = dict[str, Any]
Kind = Literal["node", "edge"]


class Placed(NamedTuple):
    """A record and its place: siblings are drawn in ascending `ord`."""

    ord: float
    record: Record


class Touched(NamedTuple):
    """What changed since the journal was last settled: id to its record now, or None when it is gone."""

    nodes: dict[str, Placed | None]
    edges: dict[str, Placed | None]
    workflow: tuple[str, Any] | None
    """Its name and viewport, when they changed."""


class Graph:
    """One workflow's document. Invariants are kept by `canvas.ops`; this class only keeps its indexes true."""

    def __init__(self, *, name: str = "", viewport: Any = None) -> None:
        self.name = name
        self.viewport = viewport
        self.nodes: dict[str, Placed] = {}
        self.edges: dict[str, Placed] = {}
        self.children: dict[str, set[str]] = {}
        self.incident: dict[str, set[str]] = {}
        self._order: dict[Kind, list[tuple[float, str]]] = {"node": [], "edge": []}
        """Every (ord, id), ascending. Keeping it sorted is cheap; sorting it for each insertion is not."""
        self._journal: list[tuple[Literal["node", "edge", "workflow"], str, Any]] = []

    def __contains__(self, node_id: object) -> bool:
        return node_id in self.nodes

    def table(self, kind: Kind) -> dict[str, Placed]:
        return self.nodes if kind == "node" else self.edges

    # Reading

    def nodes_in_order(self) -> list[Record]:
        """Every node as it is drawn; `canvas.ops` keeps a parent's `ord` below its children's."""
        return [self.nodes[node_id].record for _, node_id in self._order["node"]]

    def edges_in_order(self) -> list[Record]:
        return [self.edges[edge_id].record for _, edge_id in self._order["edge"]]

    def drawn_after(self, kind: Kind, place: tuple[float, str] | None, limit: int) -> list[Placed]:
        """Up to `limit` records above a place, which is (ord, id); from the lowest without one."""
        table, order = self.table(kind), self._order[kind]
        first = bisect_right(order, place) if place is not None else 0
        return [table[id_] for _, id_ in order[first : first + limit]]

    def rank(self, kind: Kind, ord_: float) -> int:
        """How many records stand below `ord_`: the index at which it would be inserted."""
        return bisect_left(self._order[kind], (ord_, ""))

    def descendants(self, node_id: str) -> Iterator[str]:
        """Every node below `node_id`, nearest first."""
        waiting = [node_id]
        for current in waiting:
            below = sorted(self.children.get(current, ()))
            yield from below
            waiting.extend(below)

    def absolute_position(self, node_id: str | None) -> tuple[float, float]:
        """A node's place on the canvas: its own position plus all its parents'."""
        x = y = 0.0
        while node_id is not None:
            record = self.nodes[node_id].record
            x += record["position"]["x"]
            y += record["position"]["y"]
            node_id = record.get("parentId")
        return x, y

    def place_at(self, kind: Kind, index: int, *, at_end: float) -> float:
        """The `ord` that puts a record at `index` of the document's list; `at_end` is larger than every other.

        Every process must come to the same number from the same document, so it depends on nothing else.
        """
        order = self._order[kind]
        if index >= len(order):
            return at_end
        after = order[index][0]
        before = order[index - 1][0] if index else after - 1.0
        middle = (before + after) / 2
        if before < middle < after:
            return middle
        self._spread(kind, at_end)
        return self.place_at(kind, index, at_end=at_end)

    def _spread(self, kind: Kind, at_end: float) -> None:
        """Give everyone an equal share of the room again: some fifty insertions at one place use a gap up."""
        table, ids = self.table(kind), [id_ for _, id_ in self._order[kind]]
        for number, id_ in enumerate(ids):
            self.put(kind, table[id_].record, at_end * number / len(ids))

    # Changing

    def put(self, kind: Kind, record: Record, ord_: float | None = None) -> None:
        """Store a record; without `ord_` it keeps its place."""
        table = self.table(kind)
        old = table.get(record["id"])
        placed = Placed(old.ord if ord_ is None and old is not None else (ord_ or 0.0), record)
        self._journal.append((kind, record["id"], old))
        self._set(kind, record["id"], placed)

    def drop(self, kind: Kind, id_: str) -> Placed:
        old = self.table(kind)[id_]
        self._journal.append((kind, id_, old))
        self._set(kind, id_, None)
        return old

    def set_workflow(self, *, name: str, viewport: Any) -> None:
        self._journal.append(("workflow", "", (self.name, self.viewport)))
        self.name, self.viewport = name, viewport

    def _set(self, kind: Kind, id_: str, placed: Placed | None) -> None:
        table, order = self.table(kind), self._order[kind]
        index = self._index_node if kind == "node" else self._index_edge
        if (old := table.get(id_)) is not None:
            index(id_, old.record, present=False)
            if placed is None or placed.ord != old.ord:
                del order[bisect_left(order, (old.ord, id_))]
        if placed is None:
            del table[id_]
            return
        if old is None or placed.ord != old.ord:
            insort(order, (placed.ord, id_))
        table[id_] = placed
        index(id_, placed.record, present=True)

    def _index_node(self, id_: str, record: Record, *, present: bool) -> None:
        parent_id = record.get("parentId")
        if parent_id is not None:
            _mark(self.children, parent_id, id_, present=present)

    def _index_edge(self, id_: str, record: Record, *, present: bool) -> None:
        for end in {record["source"], record["target"]}:
            _mark(self.incident, end, id_, present=present)

    # The journal

    def mark(self) -> int:
        """A point to roll back to."""
        return len(self._journal)

    def roll_back(self, mark: int) -> None:
        """Undo everything since `mark`."""
        while len(self._journal) > mark:
            kind, id_, old = self._journal.pop()
            if kind == "workflow":
                self.name, self.viewport = old
            elif old is not None or id_ in self.table(kind):
                self._set(kind, id_, old)

    def touched(self, since: int = 0) -> Touched:
        """What the journal names, as it stands now."""
        nodes: dict[str, Placed | None] = {}
        edges: dict[str, Placed | None] = {}
        workflow = None
        for kind, id_, _ in self._journal[since:]:
            if kind == "node":
                nodes[id_] = self.nodes.get(id_)
            elif kind == "edge":
                edges[id_] = self.edges.get(id_)
            else:
                workflow = (self.name, self.viewport)
        return Touched(nodes, edges, workflow)

    def settle(self, mark: int | None = None) -> None:
        """What was done stays done; with `mark`, what was done before it."""
        del self._journal[:mark]


def _mark(index: dict[str, set[str]], key: str, member: str, *, present: bool) -> None:
    if present:
        index.setdefault(key, set()).add(member)
    elif (members := index.get(key)) is not None:
        members.discard(member)
        if not members:
            del index[key]

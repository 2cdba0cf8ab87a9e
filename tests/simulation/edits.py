"""Random edits, as people make them: of what they see, now and then of what is gone, sometimes of what is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable

from canvas.graph import Graph, Record
from canvas.ops import Add, Op, Remove, Restore, SetWorkflow, Update

NODES = tuple(f"n{number}" for number in range(12))
EDGES = tuple(f"e{number}" for number in range(8))


class Editor:
    """Somebody with a seed of their own."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def edit(self, graph: Graph, seq: int) -> list[Op]:
        """One push: one to three ops on the document as it is seen at `seq`."""
        kinds: tuple[tuple[int, Callable[[Graph, int], Op]], ...] = (
            (8, self._add_node),
            (4, self._add_edge),
            (7, self._move),
            (5, self._reparent),
            (6, self._write),
            (3, self._remove_nodes),
            (2, self._remove_edges),
            (3, self._restore),
            (1, self._rename),
        )
        weights = [weight for weight, _ in kinds]
        count = self.random.choices((1, 2, 3), (6, 2, 1))[0]
        return [kind(graph, seq) for _, kind in self.random.choices(kinds, weights, k=count)]

    def _node(self, graph: Graph) -> str:
        """One that is there, mostly."""
        if graph.nodes and self.random.random() < 0.9:
            return self.random.choice(sorted(graph.nodes))
        return self.random.choice(NODES)

    def _point(self) -> dict[str, float]:
        return {"x": float(self.random.randint(-50, 50)), "y": self.random.randint(-50, 50)}

    def _index(self) -> int | None:
        return self.random.randint(0, 6) if self.random.random() < 0.3 else None

    def _add_node(self, graph: Graph, _: int) -> Op:
        record: Record = {"id": self.random.choice(NODES), "position": self._point(), "data": {}}
        if graph.nodes and self.random.random() < 0.4:
            record["parentId"] = self._node(graph)
        return Add("node", record, self._index())

    def _add_edge(self, graph: Graph, _: int) -> Op:
        ends = {"source": self._node(graph), "target": self._node(graph)}
        return Add("edge", {"id": self.random.choice(EDGES), **ends}, self._index())

    def _move(self, graph: Graph, _: int) -> Op:
        node_id = self._node(graph)
        placed = graph.nodes.get(node_id)
        if placed is None:
            return Update("node", node_id, {"/position": self._point()})
        return Update("node", node_id, {"/position": self._point()}, parentId=placed.record.get("parentId"))

    def _reparent(self, graph: Graph, _: int) -> Op:
        node_id, parent_id = self._node(graph), self._node(graph)
        if self.random.random() < 0.2:
            return Update("node", node_id, {"/position": self._point()}, ("/parentId",))
        return Update("node", node_id, {"/parentId": parent_id, "/position": self._point()})

    def _write(self, graph: Graph, _: int) -> Op:
        key = self.random.choice("pqr")
        if self.random.random() < 0.2:
            return Update("node", self._node(graph), {}, (f"/data/{key}",))
        return Update("node", self._node(graph), {f"/data/{key}": self.random.choice([1, 1.5, "fox", None, {"a": []}])})

    def _remove_nodes(self, graph: Graph, _: int) -> Op:
        return Remove("node", tuple(dict.fromkeys(self._node(graph) for _ in range(self.random.randint(1, 2)))))

    def _remove_edges(self, graph: Graph, _: int) -> Op:
        return Remove("edge", (self.random.choice(sorted(graph.edges) or EDGES),))

    def _restore(self, _: Graph, seq: int) -> Op:
        return Restore(self.random.randint(max(1, seq - 12), max(1, seq)))

    def _rename(self, _graph: Graph, _seq: int) -> Op:
        if self.random.random() < 0.5:
            return SetWorkflow({"/viewport": {**self._point(), "zoom": 1}})
        return SetWorkflow({"/name": self.random.choice(["Foxes", "Owls", ""])})

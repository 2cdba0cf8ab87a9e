"""Documents to test with, and random ways to change them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from canvas.graph import Graph, Placed, Record
from canvas.ops import Add, Change, Op, Remove, Removed, Restore, SetWorkflow, Update

NODES = tuple("abcdefgh")
EDGES = tuple(f"e{number}" for number in range(6))


def node(id_: str, x: float = 0, y: float = 0, **keys: Any) -> Record:
    return {"id": id_, "position": {"x": x, "y": y}, "data": {}, **keys}


def edge(id_: str, source: str, target: str, **keys: Any) -> Record:
    return {"id": id_, "source": source, "target": target, **keys}


def nodes(*records: Record) -> list[Op]:
    return [Add("node", record) for record in records]


def drawn(*records: Record) -> Graph:
    """A graph of these nodes, and edges, in this order."""
    graph = Graph()
    for seq, record in enumerate(records, 1):
        commit(graph, seq, Add("edge" if "source" in record else "node", record))
    return graph


def commit(graph: Graph, seq: int, *ops: Op, removed_by: dict[int, Removed] | None = None) -> Change:
    """One transaction, settled."""
    change = Change(graph, seq, removed_by or {})
    for op in ops:
        change.apply(op)
    graph.settle()
    return change


def ids(graph: Graph) -> list[str]:
    return [record["id"] for record in graph.nodes_in_order()]


def state(graph: Graph) -> dict[str, Any]:
    """Everything a graph is, for comparison."""
    return {
        "nodes": list(_in_place(graph.nodes)),
        "edges": list(_in_place(graph.edges)),
        "drawn": (graph.nodes_in_order(), graph.edges_in_order()),
        "indexes": (graph.children, graph.incident),
        "workflow": (graph.name, graph.viewport),
    }


def _in_place(table: dict[str, Placed]) -> list[tuple[str, float, str]]:
    return sorted((id_, placed.ord, repr(placed.record)) for id_, placed in table.items())


def check(graph: Graph) -> None:
    """GR2, GR3: what must hold after any sequence of pushes."""
    seen: set[str] = set()
    for record in graph.nodes_in_order():
        parent_id = record.get("parentId")
        assert parent_id is None or parent_id in seen, f"{record['id']} is drawn before its parent {parent_id}"
        seen.add(record["id"])
    assert seen == set(graph.nodes)
    assert {record["id"] for record in graph.edges_in_order()} == set(graph.edges)
    for record in graph.edges_in_order():
        assert {record["source"], record["target"]} <= seen


# Random changes

_numbers = st.one_of(st.integers(-5, 5), st.sampled_from([0.5, -0.0, 1e300]))
_positions = st.fixed_dictionaries({"x": _numbers, "y": _numbers})
_node_ids, _edge_ids = st.sampled_from(NODES), st.sampled_from(EDGES)
_parents = st.one_of(st.none(), _node_ids)
_indexes = st.one_of(st.none(), st.integers(0, 9))
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, st.text("aé\U0001f98a~/", max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("pq"), inner, max_size=2)),
    max_leaves=4,
)
_node_records = st.fixed_dictionaries(
    {"id": _node_ids, "position": _positions},
    optional={"parentId": _parents, "data": st.dictionaries(st.sampled_from("pq"), _values), "type": st.none()},
)
_edge_records = st.fixed_dictionaries({"id": _edge_ids, "source": _node_ids, "target": _node_ids})
_registers = st.one_of(
    st.dictionaries(st.sampled_from(["/data/p", "/data/q/p", "/data", "/zIndex", "/type"]), _values, max_size=2),
    st.fixed_dictionaries({"/position": _positions}, optional={"/parentId": _parents}),
    st.fixed_dictionaries({"/parentId": _parents}),
)
ops = st.one_of(
    st.builds(Add, st.just("node"), _node_records, _indexes),
    st.builds(Add, st.just("edge"), _edge_records, _indexes),
    st.builds(
        Update,
        st.just("node"),
        _node_ids,
        _registers,
        st.sampled_from([(), ("/data/p",), ("/parentId",), ("/zIndex",)]),
        st.one_of(_parents),
    ),
    st.builds(Update, st.just("node"), _node_ids, _registers),
    st.builds(Update, st.just("edge"), _edge_ids, st.fixed_dictionaries({"/source": _node_ids})),
    st.builds(Remove, st.just("node"), st.lists(_node_ids, max_size=3).map(tuple)),
    st.builds(Remove, st.just("edge"), st.lists(_edge_ids, max_size=3).map(tuple)),
    st.builds(Restore, st.integers(1, 12)),
    st.builds(SetWorkflow, st.fixed_dictionaries({}, optional={"/name": st.just("x"), "/viewport": _values})),
)
pushes = st.lists(st.lists(ops, min_size=1, max_size=4), max_size=12)

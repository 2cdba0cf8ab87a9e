from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from canvas.compaction import compacted
from canvas.errors import EaselError
from canvas.graph import Graph
from canvas.ops import Add, Change, Op, Remove, Removed, SetWorkflow, Update, replay
from canvas.protocol import Author, Transaction
from tests.canvas import drawing
from tests.canvas.drawing import edge, node, nodes

AT = datetime(2026, 1, 2, tzinfo=UTC)
ADA = Author("ada", "user")


def log(*pushes: list[Op]) -> tuple[Graph, list[Transaction]]:
    """The document that the pushes make, and its log."""
    graph, removed_by, transactions = Graph(), dict[int, Removed](), list[Transaction]()
    for ops in pushes:
        seq = len(transactions) + 1
        change = Change(graph, seq, removed_by)
        mark = graph.mark()
        try:
            for op in ops:
                change.apply(op)
        except EaselError:
            graph.roll_back(mark)
            continue
        if change.effective:
            graph.settle()
            removed_by[seq] = change.removed
            transactions.append(Transaction(seq, ADA, AT, change.effective))
    return graph, transactions


def replayed(transactions: list[Transaction]) -> Graph:
    graph = Graph()
    for transaction in transactions:
        replay(graph, transaction.seq, transaction.ops)
    return graph


def state(graph: Graph) -> object:
    """Everything but the order of keys, which says nothing in JSON."""
    canonical = msgspec.json.Encoder(order="deterministic").encode
    places = {id_: placed.ord for id_, placed in (*graph.nodes.items(), *graph.edges.items())}
    drawn = canonical([graph.nodes_in_order(), graph.edges_in_order()])
    return drawn, places, graph.children, graph.incident, graph.name, canonical(graph.viewport)


@given(st.lists(st.lists(drawing.ops, min_size=1, max_size=3), max_size=30), st.integers(0, 30))
def test_a_compacted_log_comes_to_the_same_end(pushes: list[list[Op]], begins: int) -> None:
    """RS7, OP2: from wherever it begins"""
    graph, transactions = log(*pushes)
    shorter = [*transactions[:begins], *compacted(transactions[begins:])]

    assert state(replayed(shorter)) == state(graph)
    assert [(one.seq, one.by) for one in shorter] == [(one.seq, one.by) for one in transactions]


def test_a_drag_of_a_thousand_steps_is_one() -> None:
    """RS7"""
    steps: list[list[Op]] = [[Update("node", "a", {"/position": {"x": x, "y": 0}})] for x in range(1, 1_001)]
    _, transactions = log(nodes(node("a")), *steps)

    shorter = compacted(transactions[1:])

    assert [one.seq for one in shorter if one.ops] == [1_001]
    assert len(shorter) == 1_000


def test_what_something_in_between_needs_stays() -> None:
    """RS7"""
    _, transactions = log(
        [*nodes(node("a"), node("b"), node("c"))],
        [Update("node", "a", {"/data/a": {}})],
        [Update("node", "a", {"/data/a/b": 1})],
        [Update("node", "a", {"/data/a": 5})],
        [SetWorkflow({"/name": "x"})],
        [SetWorkflow({"/name": "y"})],
        drawing.nodes(node("d")),
    )
    shorter = compacted(transactions[1:])
    assert [one.seq for one in shorter if one.ops] == [2, 3, 4, 6, 7]

    moved: tuple[Op, ...] = (
        Update("edge", "e", {"/source": "b"}),
        Remove("node", ("a",)),
        Update("edge", "e", {"/source": "c"}),
    )
    _, transactions = log(
        [*nodes(node("a"), node("b"), node("c")), Add("edge", edge("e", "a", "c"))], *[[op] for op in moved]
    )
    assert list(replayed([transactions[0], *compacted(transactions[1:])]).edges) == ["e"]

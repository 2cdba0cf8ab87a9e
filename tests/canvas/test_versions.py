"""The way back to a document, how two differ, and when a version is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.errors import Invalid
from canvas.graph import Graph
from canvas.ops import Add, Change, Op, Remove, SetWorkflow, Update, replay
from canvas.pointers import Refused, same
from canvas.versions import (
    DUE_AFTER,
    DUE_BYTES,
    DUE_TRANSACTIONS,
    Changed,
    Comparison,
    Contents,
    Delta,
    Unkept,
    checked_name,
    compare,
    contents_of,
    difference,
    is_due,
)
from tests.canvas import drawing
from tests.canvas.drawing import check, commit, drawn, edge, ids, node

LONG_AFTER = 1_000
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def after(*histories: list[list[Op]]) -> Graph:
    """The document that these pushes make, the refused ones left out."""
    graph = Graph(name="Foxes")
    for seq, ops in enumerate((ops for pushes in histories for ops in pushes), 1):
        mark = graph.mark()
        change = Change(graph, seq, {})
        try:
            for op in ops:
                change.apply(op)
        except Invalid:
            graph.roll_back(mark)
    graph.settle()
    return graph


def put_back(graph: Graph, then: Contents) -> Change:
    return commit(graph, LONG_AFTER, *difference(graph, then))


def in_common(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> list[str]:
    there = {record["id"] for record in other}
    return [record["id"] for record in one if record["id"] in there]


# The way back


@given(shared=drawing.pushes, one=drawing.pushes, other=drawing.pushes)
def test_the_difference_leads_from_any_document_to_any_other(
    shared: list[list[Op]], one: list[list[Op]], other: list[list[Op]]
) -> None:
    """VE2, VE3"""
    now, then = after(shared, one), contents_of(after(shared, other))
    before, replica = contents_of(now), after(shared, one)

    change = put_back(now, then)

    check(now)
    put = contents_of(now)
    assert compare(put, then) == Comparison(Delta([], [], []), Delta([], [], []), False)
    for kind in ("nodes", "edges"):
        old, wanted, got = getattr(before, kind), getattr(then, kind), getattr(put, kind)
        if in_common(old, wanted) == in_common(wanted, old):
            assert [record["id"] for record in got] == [record["id"] for record in wanted]
    assert difference(now, then) == []
    replay(replica, LONG_AFTER, change.effective)
    assert same(contents_of(replica), put)


@given(shared=drawing.pushes, one=drawing.pushes)
def test_going_back_and_back_again_ends_where_it_began(shared: list[list[Op]], one: list[list[Op]]) -> None:
    """VE2: a restore can be undone"""
    graph, then = after(shared, one), contents_of(after(shared))
    present = contents_of(graph)

    put_back(graph, then)
    commit(graph, LONG_AFTER + 1, *difference(graph, present))

    assert compare(contents_of(graph), present) == Comparison(Delta([], [], []), Delta([], [], []), False)


def test_what_comes_back_stands_where_it_stood() -> None:
    """VE2"""
    graph = drawn(node("a"), node("b"), node("c"), edge("e", "a", "b"), edge("f", "b", "c"))
    then = contents_of(graph)
    commit(graph, 6, Remove("node", ("a",)), Add("node", node("new")))

    put_back(graph, then)

    assert ids(graph) == ["a", "b", "c"]
    assert [record["id"] for record in graph.edges_in_order()] == ["e", "f"]


def test_only_what_differs_is_touched() -> None:
    """VE2: somebody else's edit to another key of the same node meets no register of ours"""
    graph = drawn(node("a", data={"prompt": "fox", "seed/~": 1, "old": 2}, width=5), node("b"))
    then = contents_of(graph)
    commit(
        graph,
        3,
        Update("node", "a", {"/data/prompt": "owl", "/data/seed~1~0": 2, "/data/new": 1, "/zIndex": 3}, ("/width",)),
        Update("node", "a", {}, ("/data/old",)),
        SetWorkflow({"/viewport": {"x": 0, "y": 0, "zoom": 2}, "/name": "Owls"}),
    )

    ops = difference(graph, then)

    back = {"/data/prompt": "fox", "/data/seed~1~0": 1, "/data/old": 2, "/width": 5}
    assert isinstance(ops[0], Update)
    assert ops == [Update("node", "a", back, ops[0].unset), SetWorkflow({"/viewport": None})]
    assert set(ops[0].unset) == {"/data/new", "/zIndex"}
    put_back(graph, then)
    assert contents_of(graph).nodes == then.nodes
    assert graph.name == "Owls"


def test_what_was_inside_something_else_goes_back_where_it_was() -> None:
    """VE2: parents that swap, and a parent that goes while its child stays, are no cycle and no loss on the way"""
    graph = drawn(node("a"), node("b", parentId="a"), node("c", 7, 7), edge("e", "b", "c"))
    then = contents_of(graph)
    commit(graph, 5, Update("node", "b", {}, ("/parentId",)))
    commit(graph, 6, Update("node", "a", {"/parentId": "b"}), Add("node", node("g")))
    commit(graph, 7, Update("node", "b", {"/parentId": "g"}), Update("node", "c", {"/parentId": "g"}))

    put_back(graph, then)

    check(graph)
    assert compare(contents_of(graph), then) == Comparison(Delta([], [], []), Delta([], [], []), False)


@pytest.mark.parametrize(
    ("kind", "now", "then"),
    [
        ("edge", edge("x", "a", "b", data={"p": 1}), edge("x", "a", "b", data=None)),
        ("edge", edge("x", "a", "b"), edge("x", "a", "b", data=None)),
        ("edge", edge("x", "a", "b", data=None), edge("x", "a", "b", data={"p": 1})),
        ("edge", edge("x", "a", "b", position=1), edge("x", "a", "b")),
        ("edge", edge("x", "a", "b"), edge("x", "b", "b")),
        ("node", node("x", target="s"), node("x")),
        ("node", node("x", type=None), node("x", type="t")),
        ("node", {"id": "x", "position": {"x": 0, "y": 0}}, node("x", data={"p": 1})),
        ("node", node("x", data={"p": 1}), {"id": "x", "position": {"x": 0, "y": 0}}),
        ("node", node("x", data={"p": True}), node("x", data={"p": 1})),
    ],
)
def test_records_no_update_leads_to_are_replaced(kind: Any, now: dict[str, Any], then: dict[str, Any]) -> None:
    """VE2: and a node that is replaced keeps its children and edges"""
    around = (node("a"), node("b"))
    hold = (node("child", parentId="x"), edge("f", "x", "a")) if kind == "node" else ()
    graph, wanted = drawn(*around, now, *hold), contents_of(drawn(*around, then, *hold))

    put_back(graph, wanted)

    assert same(contents_of(graph), wanted)


def test_a_restore_that_comes_late_does_no_harm() -> None:
    """VE10: the difference was taken from a document that has changed since"""
    graph = drawn(node("a"), node("b"), edge("e", "a", "b"))
    then = contents_of(graph)
    commit(graph, 4, Remove("node", ("a",)), Update("node", "b", {"/data/p": 1}))
    ops = difference(graph, then)
    commit(graph, 5, Remove("node", ("b",)), Add("node", node("new")))

    with pytest.raises(Refused) as caught:
        commit(graph, LONG_AFTER, *ops)

    assert caught.value.code == "DANGLING_EDGE"  # all of it: it is computed afresh


# Runs


LIVE = {"status": "running", "jobId": "job_2", "updatedAt": "now"}
OVER = {"status": "completed", "jobId": "job_1", "imageUrl": "/objects/one"}


@pytest.mark.parametrize(
    ("now", "then", "put"),
    [
        ({"p": 2, **LIVE}, {"p": 1}, {"p": 1, **LIVE}),
        ({"p": 2, **LIVE}, {"p": 1, **OVER}, {"p": 1, "imageUrl": "/objects/one", **LIVE}),
        ({"p": 2, **OVER}, {"p": 1, **LIVE}, {"p": 1}),
        ({"p": 2}, {"p": 1, **OVER}, {"p": 1, **OVER}),
        ({"p": 2, **LIVE}, {"p": 1, **LIVE, "jobId": "job_0"}, {"p": 1, **LIVE}),
        ({"p": 2, "status": "running"}, {"p": 1, "status": ["pending"]}, {"p": 1, "status": ["pending"]}),
    ],
)
def test_live_runs_go_on(now: dict[str, Any], then: dict[str, Any], put: dict[str, Any]) -> None:
    """VE4"""
    graph, wanted = drawn(node("a", data=now)), Contents([node("a", data=then)], [], None)

    put_back(graph, wanted)

    assert graph.nodes["a"].record["data"] == put
    assert difference(graph, wanted) == []


def test_a_node_that_comes_back_shows_no_run_of_the_past() -> None:
    """VE4"""
    graph = Graph()

    put_back(graph, Contents([node("a", data={"p": 1, **LIVE}), {"id": "b", "position": {"x": 0, "y": 0}}], [], None))

    assert graph.nodes["a"].record["data"] == {"p": 1}
    assert "data" not in graph.nodes["b"].record


# Comparing


def test_two_documents_are_compared_record_by_record() -> None:
    """VE9"""
    one = contents_of(drawn(node("a", data={"p": 1}, width=1), node("b"), node("c"), edge("e", "a", "b")))
    other = contents_of(drawn(node("c"), node("a", 5, data={"p": 2}), node("d"), edge("e", "a", "c")))

    found = compare(one, Contents(other.nodes, other.edges, {"x": 0}))

    assert found.nodes == Delta(["d"], ["b"], [Changed("a", ["position", "data", "width"])])
    assert found.edges == Delta([], [], [Changed("e", ["target"])])
    assert found.viewport
    assert compare(one, one) == Comparison(Delta([], [], []), Delta([], [], []), False)


# When one is due


@pytest.mark.parametrize(
    ("transactions", "size_bytes", "ago", "due"),
    [
        (0, 0, DUE_AFTER * 100, False),
        (1, 0, timedelta(0), False),
        (1, 0, DUE_AFTER - timedelta(seconds=1), False),
        (1, 0, DUE_AFTER, True),
        (DUE_TRANSACTIONS - 1, 0, timedelta(0), False),
        (DUE_TRANSACTIONS, 0, timedelta(0), True),
        (1, DUE_BYTES - 1, timedelta(0), False),
        (1, DUE_BYTES, timedelta(0), True),
    ],
)
def test_a_version_is_due_by_time_by_count_and_by_size(
    transactions: int, size_bytes: int, ago: timedelta, due: bool
) -> None:
    """VE6"""
    assert is_due(Unkept(transactions, size_bytes, NOON - ago), NOON) is due


@given(st.integers(max_value=0), st.integers(0, 1 << 40), st.timedeltas(timedelta(0), timedelta(days=9_999)))
def test_no_version_is_due_of_what_has_not_changed(transactions: int, size_bytes: int, ago: timedelta) -> None:
    """VE6"""
    assert not is_due(Unkept(transactions, size_bytes, NOON - ago), NOON)


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\0b", "data:image/png;base64," + "A" * 200])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    """VE8"""
    with pytest.raises(Invalid):
        checked_name(name)


def test_any_other_name_is_kept_as_it_is() -> None:
    """VE8"""
    assert checked_name(" Before the client's call \U0001f98a ") == " Before the client's call \U0001f98a "

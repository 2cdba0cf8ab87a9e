from __future__ import annotations

import msgspec
from hypothesis import given

from canvas.errors import Invalid
from canvas.graph import Graph
from canvas.ops import Add, Change, Op, Remove, Removed, Update, replay
from tests.canvas import drawing
from tests.canvas.drawing import check, commit, drawn, edge, ids, node, state

_ops = msgspec.json.Decoder(list[Op])


@given(drawing.pushes)
def test_a_replica_that_repeats_the_effective_ops_has_the_same_document_in_the_same_order(
    pushes: list[list[Op]],
) -> None:
    """OP1, OP2, GR1, GR2, GR3, GR4"""
    graph, replica = Graph(), Graph()
    removed_by: dict[int, Removed] = {}
    seq = 1
    for ops in pushes:
        before = state(graph)
        change = Change(graph, seq, removed_by)
        try:
            for op in ops:
                change.apply(op)
        except Invalid:
            graph.roll_back(0)
            assert state(graph) == before
            continue
        graph.settle()
        check(graph)
        if change.effective:
            replay(replica, seq, _ops.decode(msgspec.json.encode(change.effective)))
            removed_by[seq] = change.removed
            seq += 1
        assert state(replica) == state(graph)


@given(drawing.pushes, drawing.pushes)
def test_a_snapshot_is_enough_to_go_on_from(before: list[list[Op]], after: list[list[Op]]) -> None:
    """GR1, GR2: places are nobody's secret, the order says it all"""
    graph, replica = Graph(), Graph()
    for seq, ops in enumerate(before, 1):
        _try(graph, seq, ops)
    for kind, records in (("node", graph.nodes_in_order()), ("edge", graph.edges_in_order())):
        for number, record in enumerate(records):
            replica.put("node" if kind == "node" else "edge", record, float(number - len(records)))
    for seq, ops in enumerate(after, len(before) + 1):
        replay(replica, seq, _try(graph, seq, ops))
    assert replica.nodes_in_order() == graph.nodes_in_order()
    assert replica.edges_in_order() == graph.edges_in_order()


def _try(graph: Graph, seq: int, ops: list[Op]) -> list[Op]:
    change = Change(graph, seq, {})
    try:
        for op in ops:
            change.apply(op)
    except Invalid:
        graph.roll_back(0)
        return []
    graph.settle()
    return change.effective


@given(drawing.pushes)
def test_any_part_of_a_transaction_can_be_rolled_back(pushes: list[list[Op]]) -> None:
    """GR4"""
    graph = drawn(node("a"), node("b", parentId="a"), node("c"), edge("e0", "a", "b"))
    for ops in pushes:
        mark, before = graph.mark(), state(graph)
        change = Change(graph, 20, {})
        try:
            for op in ops:
                change.apply(op)
        except Invalid:
            pass
        graph.roll_back(mark)
        assert state(graph) == before


def test_siblings_are_drawn_in_creation_order_and_an_index_says_otherwise() -> None:
    """GR1"""
    graph = drawn(node("b"), node("a"))

    commit(graph, 3, Add("node", node("first"), 0), Add("node", node("middle"), 2), Add("node", node("last"), 99))

    assert ids(graph) == ["first", "b", "middle", "a", "last"]


def test_insertions_at_one_place_never_use_the_room_up() -> None:
    """GR1: some fifty halvings exhaust a float"""
    graph, replica = drawn(node("first"), node("last")), drawn(node("first"), node("last"))
    names = [f"n{number:03}" for number in range(200)]
    for seq, name in enumerate(names, 3):
        change = commit(graph, seq, Add("node", node(name), 1))
        replay(replica, seq, change.effective)
        replica.settle()

    assert ids(graph) == ["first", *reversed(names), "last"]
    assert state(replica) == state(graph)
    commit(graph, 999, Add("node", node("end")))
    assert ids(graph)[-1] == "end"


def test_a_node_that_moves_into_a_younger_group_goes_to_the_end_with_what_is_inside_it() -> None:
    """GR2"""
    graph = drawn(node("a"), node("b"), node("in-b", parentId="b"), node("c"), node("group"), node("d"))

    commit(graph, 7, Update("node", "b", {"/parentId": "group"}))
    assert ids(graph) == ["a", "c", "group", "d", "b", "in-b"]

    commit(graph, 8, Update("node", "b", unset=("/parentId",)))
    assert ids(graph) == ["a", "c", "group", "d", "b", "in-b"]


def test_a_child_that_asks_for_a_place_before_its_parent_is_put_right_after_it() -> None:
    """GR2"""
    graph = drawn(node("a"), node("group"), node("z"))

    commit(graph, 4, Add("node", node("child", parentId="group"), 0))

    assert ids(graph) == ["a", "group", "child", "z"]


def test_touched_names_what_changed_since_it_was_settled() -> None:
    """GR4"""
    graph = drawn(node("a"), node("b"), edge("e", "a", "b"))
    Change(graph, 4, {}).apply(Remove("node", ("a",)))

    touched = graph.touched()

    assert touched == ({"a": None}, {"e": None}, None)

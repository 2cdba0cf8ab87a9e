from __future__ import annotations

import time
from typing import Any

import pytest

from canvas import ops
from canvas.errors import Invalid
from canvas.graph import Graph
from canvas.ops import Add, Change, Op, Remove, Restore, SetWorkflow, Update, check_sizes
from tests.canvas.drawing import commit, drawn, edge, ids, node


def refusal(graph: Graph, *asked: Op) -> Invalid:
    change = Change(graph, 99, {})
    for op in asked[:-1]:
        change.apply(op)
    with pytest.raises(Invalid) as caught:
        change.apply(asked[-1])
    graph.roll_back(0)
    return caught.value


# add


def test_adding_the_same_again_has_no_effect_whatever_the_order_of_its_keys() -> None:
    """OP3"""
    graph = drawn(node("a", 1, 2, type="t", data={"p": 1, "q": [{"r": 1, "s": 2}]}))

    again = {"data": {"q": [{"s": 2, "r": 1}], "p": 1}, "type": "t", "position": {"y": 2, "x": 1}, "id": "a"}

    assert commit(graph, 2, Add("node", again)).effective == []


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0.0, -0.0), (None, ""), ([], {})])
def test_an_id_that_exists_with_another_content_is_refused(one: object, other: object) -> None:
    """OP3"""
    graph = drawn(node("a", data={"p": one}))

    assert refusal(graph, Add("node", node("a", data={"p": other}))).code == "ID_EXISTS"


def test_transient_keys_are_not_stored_and_unknown_ones_are_kept() -> None:
    """OP12"""
    record = node("a", selected=True, measured={"width": 1}, dragging=False, resizing=True, internals={}, mine=1)

    change = commit(graph := Graph(), 1, Add("node", {**record, "positionAbsolute": {"x": 0, "y": 0}}))

    assert graph.nodes_in_order() == [node("a", mine=1)]
    assert change.effective == [Add("node", node("a", mine=1))]


def test_parent_node_is_read_as_parent_id() -> None:
    """OP12"""
    graph = drawn(node("g"), node("a", parentNode="g"), node("b", parentNode=""))

    assert graph.nodes["a"].record == node("a", parentId="g")
    assert graph.nodes["b"].record == node("b")


@pytest.mark.parametrize(
    "record",
    [
        {"position": {"x": 0, "y": 0}},
        node(""),
        node("n" * 257),
        node("a", parentId=7),
        node("a", data=None),
        node("a", type=7),
        {"id": "a"},
        {"id": "a", "position": None},
        {"id": "a", "position": {"x": 0}},
        {"id": "a", "position": {"x": "0", "y": 0}},
        {"id": "a", "position": {"x": True, "y": 0}},
        {"id": "a", "position": {"x": float("nan"), "y": 0}},
    ],
)
def test_a_node_that_is_none_is_refused(record: dict[str, Any]) -> None:
    """OP12, LM1"""
    assert refusal(Graph(), Add("node", record)).code == "VALIDATION_FAILED"


@pytest.mark.parametrize("ends", [("a", "gone"), ("gone", "a")])
def test_an_edge_to_a_missing_node_is_refused(ends: tuple[str, str]) -> None:
    """OP10"""
    graph = drawn(node("a"), node("b"), edge("e", "a", "b"))

    assert refusal(graph, Add("edge", edge("f", *ends))).code == "DANGLING_EDGE"
    assert refusal(graph, Update("edge", "e", {"/target": "gone"})).code == "DANGLING_EDGE"


def test_a_missing_parent_and_a_circle_of_parents_are_refused() -> None:
    """OP10"""
    graph = drawn(node("a"), node("b", parentId="a"), node("c", parentId="b"))

    assert refusal(graph, Add("node", node("d", parentId="gone"))).code == "BAD_PARENT"
    assert refusal(graph, Add("node", node("d", parentId="d"))).code == "BAD_PARENT"
    for parent in ("gone", "a", "b", "c"):
        assert refusal(graph, Update("node", "a", {"/parentId": parent})).code == "BAD_PARENT"


# update


def test_others_edits_beside_a_register_stay() -> None:
    """OP4"""
    graph = drawn(node("a", data={"prompt": "fox", "style": {"ink": 1, "paper": 2}}))

    commit(graph, 2, Update("node", "a", {"/data/style/ink": 3, "/width": 9}, ("/data/prompt",)))
    commit(graph, 3, Update("node", "a", {"/data/~1~0": "slash, tilde"}))

    assert graph.nodes["a"].record == node("a", data={"style": {"ink": 3, "paper": 2}, "/~": "slash, tilde"}, width=9)
    commit(graph, 4, Update("node", "a", {"/data": {"all": "new"}}))
    assert graph.nodes["a"].record["data"] == {"all": "new"}


def test_data_that_is_not_there_yet_begins_empty() -> None:
    """OP4"""
    graph = drawn({"id": "a", "position": {"x": 0, "y": 0}})

    commit(graph, 2, Update("node", "a", {"/data/p": 1}))

    assert graph.nodes["a"].record["data"] == {"p": 1}


def test_only_what_changes_something_is_effective() -> None:
    """OP2"""
    graph = drawn(node("a", data={"p": 1}))

    change = commit(graph, 2, Update("node", "a", {"/data/p": 1, "/data/q": 2}, ("/data/gone", "/width")))

    assert change.effective == [Update("node", "a", {"/data/q": 2})]
    assert commit(graph, 3, Update("node", "a", {"/data/q": 2})).effective == []


@pytest.mark.parametrize(
    "pointer",
    [
        "data",
        "",
        "/id",
        "/position/x",
        "/selected",
        "/measured",
        "/parentNode",
        "/data/list/0",
        "/data/gone/p",
        "/data/__proto__/p",
        "/constructor",
    ],
)
def test_a_pointer_to_nowhere_is_refused(pointer: str) -> None:
    """OP5"""
    graph = drawn(node("a", data={"list": [1]}))

    assert refusal(graph, Update("node", "a", {pointer: 1})).code == "BAD_POINTER"


@pytest.mark.parametrize("pointer", ["/id", "/position", "/data/list/0", "/dragging"])
def test_what_must_be_there_cannot_be_unset(pointer: str) -> None:
    """OP5"""
    graph = drawn(node("a", data={"list": [1]}))

    assert refusal(graph, Update("node", "a", unset=(pointer,))).code == "BAD_POINTER"


@pytest.mark.parametrize(
    "set_", [{"/type": 5}, {"/type": ["t"]}, {"/position": None}, {"/position": {"x": 1}}, {"/parentId": 3}]
)
def test_an_update_keeps_a_node_a_node(set_: dict[str, Any]) -> None:
    """OP12"""
    assert refusal(drawn(node("a")), Update("node", "a", set_)).code == "VALIDATION_FAILED"


def test_delete_wins() -> None:
    """OP6"""
    graph = drawn(node("a"))

    gone = commit(graph, 2, Update("node", "b", {"/data/p": 1}), Remove("node", ("b",)), Remove("edge", ("e",)))

    assert gone.effective == []


# Positions and their parents


def in_groups() -> Graph:
    return drawn(node("g", 100, 100), node("h", 10, 20), node("a", 1, 2))


def test_a_place_computed_in_a_parent_that_changed_is_kept_on_screen() -> None:
    """OP7"""
    graph = in_groups()
    commit(graph, 4, Update("node", "a", {"/parentId": "g", "/position": {"x": 5, "y": 5}}, parentId="g"))

    change = commit(graph, 5, Update("node", "a", {"/position": {"x": 7, "y": 8}}, parentId=None))

    assert change.effective == [Update("node", "a", {"/position": {"x": -93.0, "y": -92.0}})]
    assert graph.absolute_position("a") == (7, 8)


def test_a_reparent_may_give_the_place_in_either_parent() -> None:
    """OP7"""
    one, other = in_groups(), in_groups()

    commit(one, 4, Update("node", "a", {"/parentId": "h", "/position": {"x": 1, "y": 2}}, parentId="h"))
    commit(other, 4, Update("node", "a", {"/parentId": "h", "/position": {"x": 11, "y": 22}}, parentId=None))

    assert one.absolute_position("a") == other.absolute_position("a") == (11, 22)


def test_a_place_in_a_parent_that_is_gone_says_nothing() -> None:
    """OP7"""
    graph = in_groups()

    change = commit(graph, 4, Update("node", "a", {"/position": {"x": 7, "y": 8}, "/width": 3}, parentId="gone"))

    assert change.effective == [Update("node", "a", {"/width": 3})]


def test_a_conversion_beyond_the_canvas_is_refused() -> None:
    """OP7, OP12"""
    graph = drawn(node("g", 9e14), node("h", 9e14, parentId="g"), node("a", parentId="h"))

    assert (
        refusal(graph, Update("node", "a", {"/position": {"x": 1, "y": 1}}, parentId=None)).code == "VALIDATION_FAILED"
    )


@pytest.mark.parametrize("x", [1e15 + 1, -1e300, 10**400, True, "1", None])
def test_a_place_that_no_browser_can_draw_is_refused(x: object) -> None:
    """OP12"""
    graph = drawn(node("a"))

    assert refusal(graph, Update("node", "a", {"/position": {"x": x, "y": 0}})).code == "VALIDATION_FAILED"
    assert refusal(graph, Add("node", {"id": "b", "position": {"x": x, "y": 0}})).code == "VALIDATION_FAILED"


@pytest.mark.parametrize("id_", [".", ".."])
def test_an_id_that_a_url_would_fold_away_is_refused(id_: str) -> None:
    """LM1"""
    assert refusal(drawn(), Add("node", {"id": id_, "position": {"x": 0, "y": 0}})).code == "VALIDATION_FAILED"


@pytest.mark.parametrize("viewport", ["x", {}, {"x": 1, "y": 2}, {"x": 1, "y": 2, "zoom": "3"}, [1, 2, 3]])
def test_a_viewport_that_is_none_is_refused(viewport: object) -> None:
    """OP13"""
    assert refusal(drawn(), SetWorkflow({"/viewport": viewport})).code == "VALIDATION_FAILED"


# remove and restore


def family() -> Graph:
    return drawn(
        node("g"),
        node("a", parentId="g"),
        node("b", parentId="a"),
        node("c"),
        edge("in", "a", "b"),
        edge("out", "b", "c"),
        edge("loop", "b", "b"),
    )


def test_removing_a_node_removes_its_edges_and_all_inside_it() -> None:
    """OP8"""
    graph = family()

    change = commit(graph, 8, Remove("node", ("g", "g", "gone")))

    assert change.effective == [Remove("edge", ("in", "loop", "out")), Remove("node", ("g", "a", "b"))]
    assert ids(graph) == ["c"]
    assert graph.edges == {}


def test_restore_brings_everything_back_in_its_old_order() -> None:
    """OP9"""
    graph = family()
    before = (graph.nodes_in_order(), graph.edges_in_order())
    removed = commit(graph, 8, Remove("node", ("g",))).removed

    change = commit(graph, 9, Restore(8), removed_by={8: removed})

    assert (graph.nodes_in_order(), graph.edges_in_order()) == before
    assert all(isinstance(op, Add) for op in change.effective)
    assert commit(graph, 10, Restore(8), removed_by={8: removed}).effective == []


@pytest.mark.parametrize("gone", [("a", "b"), ("c", "d"), ("a", "c"), ("d", "b", "c"), ("a", "b", "c", "d")])
def test_restored_siblings_stand_where_they_stood(gone: tuple[str, ...]) -> None:
    """OP9: those on top, too"""
    graph = drawn(*(node(id_) for id_ in "abcd"))
    removed = commit(graph, 9, Remove("node", gone)).removed

    commit(graph, 10, Restore(9), removed_by={9: removed})

    assert ids(graph) == list("abcd")


def test_restore_leaves_out_what_lost_its_support_and_keeps_what_is_there_again() -> None:
    """OP9"""
    graph = drawn(node("g"), node("a", parentId="g"), node("b"), node("c"), edge("e", "b", "c"))
    removed = commit(graph, 6, Remove("node", ("a", "b"))).removed
    commit(graph, 7, Remove("node", ("g", "c")), Add("node", node("b", 9, 9)))

    change = commit(graph, 8, Restore(6), removed_by={6: removed})

    assert change.effective == []
    assert graph.nodes_in_order() == [node("b", 9, 9)]


def test_a_transaction_that_is_not_in_the_log_cannot_be_restored() -> None:
    """OP9"""
    assert refusal(Graph(), Restore(5)).code == "NOT_FOUND"


# workflow and limits


def test_name_and_viewport_are_the_only_registers_of_a_workflow() -> None:
    """OP13"""
    graph = Graph(name="Old")

    change = commit(graph, 1, SetWorkflow({"/name": "New", "/viewport": {"x": 1, "y": 2, "zoom": 1}}))

    assert (graph.name, graph.viewport) == ("New", {"x": 1, "y": 2, "zoom": 1})
    assert len(change.effective) == 1
    assert commit(graph, 2, SetWorkflow({"/name": "New"})).effective == []
    assert refusal(graph, SetWorkflow({"/owner": "me"})).code == "BAD_POINTER"
    for name in ("", "  ", 7, None, "x" * 201, "nul\0"):
        assert refusal(graph, SetWorkflow({"/name": name})).status == 422


def test_a_workflow_that_is_full_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """LM1"""
    monkeypatch.setattr(ops, "MAX_NODES", 2)
    monkeypatch.setattr(ops, "MAX_EDGES", 1)
    graph = drawn(node("a"), node("b"), edge("e", "a", "b"))

    assert refusal(graph, Add("node", node("c"))).code == "LIMIT_REACHED"
    assert refusal(graph, Add("edge", edge("f", "a", "b"))).code == "LIMIT_REACHED"


def test_a_record_that_grows_too_large_is_refused() -> None:
    """LM1"""
    graph = drawn(node("a", data={"text": "x" * 1_000_000}))
    mark = graph.mark()
    Change(graph, 2, {}).apply(Update("node", "a", {"/data/more": "x" * 50_000}))

    with pytest.raises(Invalid, match="larger than 1 MiB") as caught:
        check_sizes(graph, mark)
    assert caught.value.code == "RECORD_TOO_LARGE"


def test_a_refusal_names_the_op() -> None:
    """OP1"""
    assert refusal(Graph(), Add("node", node("a")), Add("node", node("b", parentId="x"))).facts == {"opIndex": 1}


def test_a_whole_large_document_can_be_removed_and_restored() -> None:
    """LM2"""
    graph = drawn(*(node(f"n{number}") for number in range(4_000)))
    before = ids(graph)
    started = time.process_time()

    removed = commit(graph, 4_001, Remove("node", tuple(before))).removed
    commit(graph, 4_002, Restore(4_001), removed_by={4_001: removed})
    commit(graph, 4_003, *(Add("node", node(f"first{number}"), 0) for number in range(1_000)))

    assert ids(graph)[1_000:] == before
    assert time.process_time() - started < 3  # it is a tenth of that; sorting for each insertion took half a minute

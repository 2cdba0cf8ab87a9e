from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canvas.errors import Invalid
from canvas.graph import Graph
from canvas.ops import Remove, Restore, replay
from canvas.pointers import TRANSIENT
from canvas.transfer import pictures_in, read_document, unwrap
from tests.canvas.drawing import check, commit, edge, node, state

FLOWS = Path(__file__).parents[3] / "shared" / "data" / "flows"
PICTURE = "data:image/png;base64," + "A" * 120


def manifest() -> list[dict[str, Any]]:
    path = FLOWS / "manifest.json"
    if not path.exists():
        return []
    facts: list[dict[str, Any]] = msgspec.json.decode(path.read_bytes())
    return facts


def test_the_documents_of_real_products_are_there() -> None:
    """IM1"""
    if not manifest():
        assert "CI" not in os.environ, f"{FLOWS} is missing"
        pytest.skip(f"the documents of real products are not in {FLOWS}")


@pytest.mark.parametrize("facts", manifest(), ids=lambda facts: facts["file"])
def test_a_real_document_comes_out_as_it_went_in(facts: dict[str, Any]) -> None:
    """IM1, IM2, IM3, IM4"""
    document = unwrap(msgspec.json.decode((FLOWS / facts["file"]).read_bytes()))
    pictures = {picture: f"/objects/{number}" for number, picture in enumerate(pictures_in(document))}

    imported = read_document(document, pictures)

    present = {record["id"] for record in document["nodes"]}
    edges = [one for one in document["edges"] if {one["source"], one["target"]} <= present]
    assert len(document["edges"]) - len(edges) == facts["dangling_edges"]
    assert sum("was left out: it leads to" in warning for warning in imported.warnings) == facts["dangling_edges"]
    assert len(imported.warnings) >= facts["dangling_edges"]
    by_id = {record["id"]: record for record in imported.graph.nodes_in_order()}
    assert by_id == {record["id"]: kept(record, pictures) for record in document["nodes"]}
    assert imported.graph.edges_in_order() == [kept(record, pictures) for record in edges]
    assert PICTURE[:22] not in msgspec.json.encode(imported.ops).decode()
    check(imported.graph)


def kept(record: dict[str, Any], pictures: dict[str, str]) -> dict[str, Any]:
    """What a record shall be after import: transient keys gone, `parentNode` renamed, pictures replaced."""
    text = msgspec.json.encode({key: value for key, value in record.items() if key not in TRANSIENT}).decode()
    for picture, url in pictures.items():
        text = text.replace(picture, url)
    wanted: dict[str, Any] = msgspec.json.decode(text)
    if "parentNode" in wanted and (parent := wanted.pop("parentNode")):
        wanted["parentId"] = parent
    return wanted


@pytest.mark.parametrize("path", [(), ("data",), ("flow",), ("graph",), ("dsl", "graph")])
def test_what_products_put_around_a_document_is_opened(path: tuple[str, ...]) -> None:
    """IM1"""
    document: dict[str, Any] = {"nodes": [node("a")], "edges": []}
    wrapped = document
    for key in reversed(path):
        wrapped = {key: wrapped, "name": "mine"}

    assert unwrap(wrapped) is document


def test_what_is_no_document_imports_nothing_or_says_so() -> None:
    """IM4"""
    assert unwrap({"name": "empty"}) == {"name": "empty"}
    assert read_document({}, {}).ops == []
    for nodes in ({"a": 1}, "a", [1], [None]):
        with pytest.raises(Invalid, match="list of objects"):
            read_document({"nodes": nodes}, {})


def test_every_json_value_survives_exactly() -> None:
    """IM1, GR5"""
    text = b"""{"nodes":[{"id":"a","type":null,"position":{"x":1e15,"y":-0.0},"width":null,"parentId":null,"data":
      {"\xc3\xa9\xf0\x9f\xa6\x8a":[1,1.0,true,null,9007199254740991,5e-324,"\\u2028\\ud83e\\udd8a"],"":{}}}],
      "edges":[{"id":"e","source":"a","sourceHandle":null,"target":"a","targetHandle":"","data":null}]}"""

    imported = read_document(document := msgspec.json.decode(text), {})

    assert msgspec.json.encode(imported.graph.nodes_in_order()) == msgspec.json.encode(document["nodes"])
    assert msgspec.json.encode(imported.graph.edges_in_order()) == msgspec.json.encode(document["edges"])
    assert imported.warnings == []


def test_an_edge_is_not_lost_to_a_dangling_one_of_the_same_id() -> None:
    """IM2"""
    ends = [{"id": "e", "source": "a", "target": "gone"}, {"id": "e", "source": "a", "target": "a"}]

    imported = read_document({"nodes": [{"id": "a", "position": {"x": 0, "y": 0}}], "edges": ends}, {})

    assert imported.graph.edges_in_order() == [ends[1]]
    assert len(imported.warnings) == 1


def test_a_document_that_holds_no_nodes_is_said_so() -> None:
    """IM4"""
    assert read_document({"elements": [{"id": "a"}]}, {}).warnings != []
    assert read_document({"name": "empty"}, {}).warnings == []


def test_what_cannot_be_kept_is_named() -> None:
    """IM2"""
    imported = read_document(
        {
            "nodes": [
                node("child", 1, 2, parentId="late", extent="parent"),
                node("late"),
                node("orphan", parentId="gone", extent="parent"),
                node("self", parentNode="self"),
                node("ring1", parentId="ring2"),
                node("ring2", parentId="ring1"),
                node("none", parentId=""),
                node("late", 9, 9),
            ],
            "edges": [
                edge("e", "late", "gone"),
                {"source": "late", "target": "self", "sourceHandle": "out"},
                edge("f", "late", "self"),
                edge("f", "self", "late"),
            ],
        },
        {},
    )

    check(imported.graph)
    assert imported.graph.nodes["child"].record == node("child", 1, 2, parentId="late", extent="parent")
    assert imported.graph.nodes["orphan"].record == node("orphan")
    assert imported.graph.nodes["none"].record == node("none")
    assert list(imported.graph.edges) == ["xy-edge__lateout-self", "f"]
    named = "\n".join(imported.warnings)
    for name in ("“orphan”", "“self”", "“ring", "“late”", "“e”", "“xy-edge__lateout-self”", "“f”"):
        assert name in named
    assert len(imported.warnings) == 7


def test_the_effective_ops_are_the_document() -> None:
    """IM5, OP2"""
    imported = read_document({"nodes": [node("b", parentId="a"), node("a")], "edges": [edge("e", "a", "b")]}, {})
    replica = Graph()

    replay(replica, 1, imported.ops)

    assert state(replica) == state(imported.graph)


def test_pictures_and_nul_characters_are_replaced_and_named() -> None:
    """IM3"""
    longer = PICTURE + "BBBB"
    document = {"nodes": [node("a", data={"p": PICTURE, "both": f"<{longer}|{PICTURE}>", "n\0": "\0"})], "edges": []}
    assert set(pictures_in(document)) == {PICTURE, longer}

    imported = read_document(document, {PICTURE: "/objects/1", longer: "/objects/2"})

    data = imported.graph.nodes["a"].record["data"]
    assert data == {"p": "/objects/1", "both": "</objects/2|/objects/1>", "n\ufffd": "\ufffd"}
    assert len(imported.warnings) == 5


def test_a_picture_that_could_not_be_stored_is_left_out_and_named() -> None:
    """IM3"""
    imported = read_document({"nodes": [node("a", data={"p": PICTURE})]}, {})

    assert imported.graph.nodes["a"].record["data"] == {"p": ""}
    assert "left out" in imported.warnings[0]


def deep() -> Any:
    value: Any = 1
    for _ in range(900):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (node("big", data={"text": "x" * (1 << 20)}), "“big” would be larger"),
        (node("n", data={"p": 2**60}), "“n”: Whole numbers"),
        (node("n", data={"p": deep()}), "nested at most"),
        ({"id": "n"}, "“n”: A node's position"),
        (node("n", data=None), "“n”: A node's data"),
    ],
)
def test_limits_hold_and_name_the_record(record: dict[str, Any], sentence: str) -> None:
    """IM4, LM1"""
    with pytest.raises(Invalid, match=sentence):
        read_document({"nodes": [record]}, {})


def test_looking_for_pictures_never_goes_too_deep() -> None:
    """IM4"""
    with pytest.raises(Invalid, match="nested at most"):
        pictures_in({"nodes": [node("n", data={"p": deep()})]})


def test_an_edge_keeps_the_long_id_that_its_product_gave_it() -> None:
    """IM4, OP9: and can be removed and restored with it"""
    document = {"nodes": [node("a")], "edges": [edge("e" * 1024, "a", "a")]}
    graph, replica = read_document(document, {}).graph, read_document(document, {}).graph
    removed = commit(graph, 2, Remove("edge", ("e" * 1024,)))
    restored = commit(graph, 3, Restore(2), removed_by={2: removed.removed})

    replay(replica, 2, removed.effective)
    replay(replica, 3, restored.effective)

    assert list(replica.edges) == list(graph.edges) == ["e" * 1024]
    with pytest.raises(Invalid, match="1 to 1024"):
        read_document({"nodes": [node("a")], "edges": [edge("e" * 1025, "a", "a")]}, {})

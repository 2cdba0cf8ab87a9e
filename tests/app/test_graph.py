"""Nodes and edges over REST."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.running import NODES, Person


@pytest.fixture
def workflow(person: Person) -> str:
    return f"/api/workflows/{person.workflow()}"


def test_node_is_created_read_and_deleted(person: Person, workflow: str) -> None:
    node = {"id": "n", "position": {"x": 1.5, "y": -2}, "data": {"label": "hi"}, "custom": [1, None]}

    created = person.http.post(f"{workflow}/nodes", json=node)
    read = person.http.get(f"{workflow}/nodes/n")
    deleted = person.http.delete(f"{workflow}/nodes/n")

    assert (created.status_code, created.json()) == (201, node)
    assert created.headers["location"] == f"{workflow}/nodes/n"
    assert read.json() == node
    assert deleted.status_code == 204
    assert int(deleted.headers["easel-seq"]) == int(created.headers["easel-seq"]) + 1
    assert person.http.get(f"{workflow}/nodes/n").status_code == 404
    assert person.http.delete(f"{workflow}/nodes/n").status_code == 404


def test_a_list_comes_in_pages(person: Person, workflow: str) -> None:
    ids = [node["id"] for node in person.http.get(f"{workflow}/nodes").json()["items"]]
    ids += [person.http.post(f"{workflow}/nodes", json={**NODES[0], "id": f"n~{n}"}).json()["id"] for n in range(5)]

    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = person.http.get(f"{workflow}/nodes", params=query).json()
        seen += [node["id"] for node in page["items"]]
        if page["nextCursor"] is None:
            break
        person.http.delete(f"{workflow}/nodes/{seen[0]}")  # what is gone by shifts nothing
        query["cursor"] = page["nextCursor"]

    assert seen == ids
    assert person.http.get(f"{workflow}/nodes", params={"cursor": "junk"}).status_code == 400
    for limit in ("0", "x", "40001"):
        assert person.http.get(f"{workflow}/edges", params={"limit": limit}).status_code in {400, 422}


def test_record_without_an_id_is_given_one(person: Person, workflow: str) -> None:
    node = person.http.post(f"{workflow}/nodes", json={"position": {"x": 0, "y": 0}, "data": {}}).json()
    edge = person.http.post(f"{workflow}/edges", json={"source": "a", "target": node["id"]}).json()

    assert person.http.get(f"{workflow}/nodes/{node['id']}").json() == node
    assert person.http.get(f"{workflow}/edges/{edge['id']}").json() == edge


def test_id_with_slashes_and_spaces_has_an_address(person: Person, workflow: str) -> None:
    id_ = "über/a b?#%"
    created = person.http.post(f"{workflow}/nodes", json={"id": id_, "position": {"x": 0, "y": 0}, "data": {}})

    place = created.headers["location"]

    assert person.http.get(place).json()["id"] == id_
    assert person.http.patch(place, json={"data": {"x": 1}}).json()["data"] == {"x": 1}
    assert person.http.delete(place).status_code == 204


def test_deleting_a_node_takes_its_edges_and_children_along(person: Person, workflow: str) -> None:
    person.http.post(f"{workflow}/nodes", json={"id": "c", "position": {"x": 0, "y": 0}, "data": {}, "parentId": "a"})

    person.http.delete(f"{workflow}/nodes/a")

    assert [node["id"] for node in person.http.get(f"{workflow}/nodes").json()["items"]] == ["b"]
    assert person.http.get(f"{workflow}/edges").json() == {"items": [], "nextCursor": None}


def test_same_id_again(person: Person, workflow: str) -> None:
    same = person.http.post(f"{workflow}/nodes", json=NODES[0])
    other = person.http.post(f"{workflow}/nodes", json={**NODES[0], "data": {}})

    assert same.status_code == 201
    assert (other.status_code, other.json()["code"]) == (409, "ID_EXISTS")


PATCHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"data": {"prompt": "a cat"}}, {"data": {"prompt": "a cat", "kept": 1}}),
    ({"data": {"prompt": None}}, {"data": {"kept": 1}}),
    ({"data": {"deep": {"a": {"b": 1}}}}, {"data": {"prompt": "a fox", "kept": 1, "deep": {"a": {"b": 1}}}}),
    (
        {"data": {"list": [1, None, {"a": None}]}},
        {"data": {"prompt": "a fox", "kept": 1, "list": [1, None, {"a": None}]}},
    ),
    ({"position": {"x": 5}}, {"position": {"x": 5, "y": 20}}),
    ({"label": "x", "type": None}, {"label": "x", "type": None}),
    ({"selected": True, "dragging": True}, {}),
    ({"data": {"a/b~c": 1}}, {"data": {"prompt": "a fox", "kept": 1, "a/b~c": 1}}),
    ({}, {}),
]


@pytest.mark.parametrize(("patch", "changes"), PATCHES)
def test_patch_is_a_merge_patch(person: Person, workflow: str, patch: dict[str, Any], changes: dict[str, Any]) -> None:
    answer = person.http.patch(f"{workflow}/nodes/a", json=patch)

    expected = {key: value for key, value in (NODES[0] | changes).items() if value is not None}
    assert (answer.status_code, answer.json()) == (200, expected)
    assert person.http.get(f"{workflow}/nodes/a").json() == expected


@pytest.mark.parametrize("key", ["id", "position", "data"])
def test_null_does_not_remove_what_a_node_cannot_do_without(person: Person, workflow: str, key: str) -> None:
    answer = person.http.patch(f"{workflow}/nodes/a", json={key: None})

    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    assert person.http.get(f"{workflow}/nodes/a").json() == NODES[0]


@pytest.mark.parametrize(
    "patch",
    [
        {"id": "other"},
        {"position": 3},
        {"position": {"x": "left"}},
        {"data": []},
        {"parentId": "nowhere"},
        {"parentId": "a"},
        {"parentId": 5},
        {"data": {"n": 2**60}},
        {"data": {"__proto__": 1}},
        {"data": {"picture": "data:image/png;base64," + "A" * 200}},
        {"data": {"nul": "\0"}},
    ],
)
def test_patch_that_breaks_a_rule_changes_nothing(person: Person, workflow: str, patch: dict[str, Any]) -> None:
    answer = person.http.patch(f"{workflow}/nodes/a", json=patch)

    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(".")
    assert person.http.get(f"{workflow}/nodes/a").json() == NODES[0]


def test_parent_without_position_keeps_the_place_on_screen(person: Person, workflow: str) -> None:
    inside = person.http.patch(f"{workflow}/nodes/a", json={"parentId": "b"}).json()
    outside = person.http.patch(f"{workflow}/nodes/a", json={"parentId": None}).json()

    assert (inside["parentId"], inside["position"]) == ("b", {"x": -90, "y": -180})
    assert outside["position"] == {"x": 10, "y": 20}
    assert "parentId" not in outside


def test_parent_with_position_takes_it_as_it_is(person: Person, workflow: str) -> None:
    node = person.http.patch(f"{workflow}/nodes/a", json={"parentId": "b", "position": {"x": 3, "y": 4}}).json()

    assert (node["parentId"], node["position"]) == ("b", {"x": 3, "y": 4})


def test_put_replaces_the_whole_record(person: Person, workflow: str) -> None:
    whole = {"position": {"x": 0, "y": 0}, "data": {"only": True}}

    replaced = person.http.put(f"{workflow}/nodes/a", json=whole)
    added = person.http.put(f"{workflow}/nodes/new", json=whole)
    renamed = person.http.put(f"{workflow}/nodes/a", json={**whole, "id": "b"})

    assert (replaced.status_code, replaced.json()) == (200, {"id": "a", **whole})
    assert (added.status_code, added.json()) == (201, {"id": "new", **whole})
    assert renamed.status_code == 422


def test_edge_is_written_like_a_node(person: Person, workflow: str) -> None:
    patched = person.http.patch(f"{workflow}/edges/e", json={"label": "then", "data": {"x": 1}}).json()
    turned = person.http.patch(f"{workflow}/edges/e", json={"source": "b", "target": "a", "label": None}).json()
    dangling = person.http.patch(f"{workflow}/edges/e", json={"target": "nowhere"})

    assert patched == {"id": "e", "source": "a", "target": "b", "label": "then", "data": {"x": 1}}
    assert turned == {"id": "e", "source": "b", "target": "a", "data": {"x": 1}}
    assert (dangling.status_code, dangling.json()["code"]) == (422, "DANGLING_EDGE")


def test_writes_of_others_appear_in_the_log_in_order(person: Person, workflow: str) -> None:
    person.http.patch(f"{workflow}/nodes/a", json={"data": {"x": 1}})
    person.http.delete(f"{workflow}/edges/e")

    log = person.http.get(f"{workflow}/ops").json()["items"]

    assert [transaction["seq"] for transaction in log] == [1, 2, 3]
    assert {transaction["by"]["origin"] for transaction in log} == {"rest"}
    assert log[1]["ops"] == [{"op": "update", "kind": "node", "id": "a", "set": {"/data/x": 1}}]
    assert log[2]["ops"] == [{"op": "remove", "kind": "edge", "ids": ["e"]}]


def test_log_is_read_page_by_page(person: Person, workflow: str) -> None:
    for x in range(4):
        person.http.patch(f"{workflow}/nodes/a", json={"data": {"x": x}})

    first = person.http.get(f"{workflow}/ops", params={"limit": 3}).json()
    second = person.http.get(f"{workflow}/ops", params={"limit": 3, "since": first["nextCursor"]}).json()

    assert [one["seq"] for one in first["items"]] == [1, 2, 3]
    assert ([one["seq"] for one in second["items"]], second["nextCursor"]) == ([4, 5], None)


def test_push_over_http_counts_like_the_socket(person: Person, workflow: str) -> None:
    def push(number: int, x: int) -> dict[str, Any]:
        ops = [{"op": "update", "kind": "node", "id": "a", "set": {"/data/x": x}}]
        body = {"clientId": "program", "clientSeq": number, "ops": ops}
        answer: dict[str, Any] = person.http.post(f"{workflow}/ops", json=body).json()
        return answer

    first = push(1, 10)

    assert first == {"clientSeq": 1, "seq": 2, "outcome": "commit"}
    assert push(1, 10) == first
    assert push(1, 11)["error"]["code"] == "CLIENT_SEQ_REUSED"
    gap = push(5, 12)
    assert (gap["error"]["code"], gap["lastClientSeq"]) == ("SEQ_GAP", 1)
    assert person.http.get(f"{workflow}/nodes/a").json()["data"]["x"] == 10


@pytest.mark.parametrize(
    "op",
    [{}, {"op": "fly"}, {"op": "add", "kind": "node"}, {"op": "restore", "seq": 2**70}, {"op": "restore", "seq": -1}],
)
def test_op_that_is_none_refuses_the_push(person: Person, workflow: str, op: dict[str, Any]) -> None:
    answer = person.http.post(f"{workflow}/ops", json={"clientId": "c", "clientSeq": 1, "ops": [op]}, timeout=5)

    assert answer.status_code == 200
    assert answer.json()["outcome"] == "reject"

"""Workflows over REST: documents, conditions, members, the trash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.app.running import EDGES, NODES, Person


@pytest.fixture
def workflow(person: Person) -> str:
    return f"/api/workflows/{person.workflow()}"


def test_document_comes_back_as_it_was_sent(person: Person) -> None:
    viewport = {"x": 1.5, "y": -2, "zoom": 0.75}
    sent = {"name": "Mine", "nodes": NODES, "edges": EDGES, "viewport": viewport}

    created = person.http.post("/api/workflows", json=sent)
    read = person.http.get(created.headers["location"]).json()

    assert {key: read[key] for key in sent} == sent
    assert (read["role"], read["seq"]) == ("owner", 1)
    assert "warnings" not in read
    assert created.json()["warnings"] == []


@pytest.mark.parametrize("wrap", [lambda it: {"data": it}, lambda it: {"flow": it}, lambda it: {"dsl": {"graph": it}}])
def test_wrapped_document_is_opened(person: Person, wrap: Callable[[Any], Any]) -> None:
    read = person.http.post("/api/workflows", json=wrap({"nodes": NODES, "edges": EDGES}) | {"name": "x"}).json()

    assert (read["nodes"], read["edges"]) == (NODES, EDGES)


def test_what_cannot_be_kept_is_named(person: Person) -> None:
    node = {"id": "n\0", "position": {"x": 0, "y": 0}, "data": {}, "selected": True, "parentId": "gone"}
    document = {"name": "x", "nodes": [node], "edges": [{"id": "e", "source": "n", "target": "gone"}], "viewport": 7}

    created = person.http.post("/api/workflows", json=document)

    assert created.status_code == 201
    read = created.json()
    assert read["nodes"] == [{"id": "n\ufffd", "position": {"x": 0, "y": 0}, "data": {}}]
    assert (read["edges"], read.get("viewport")) == ([], None)
    assert len(read["warnings"]) == 4


@pytest.mark.parametrize(
    "document",
    [
        {"name": 5},
        {"name": "x" * 201},
        {"name": "x", "nodes": {}},
        {"name": "x", "nodes": [1]},
        {"name": "x", "nodes": [{"id": 5, "position": {"x": 0, "y": 0}}]},
        {"name": "x", "nodes": [{"id": "a", "position": {"x": 0, "y": None}}]},
        {"name": "x", "edges": [{"id": "e"}]},
    ],
)
def test_what_is_no_document_is_refused_with_a_sentence(person: Person, document: dict[str, Any]) -> None:
    answer = person.http.post("/api/workflows", json=document)

    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")


def test_document_that_has_not_changed_is_not_sent_again(person: Person, workflow: str) -> None:
    etag = person.http.get(workflow).headers["etag"]

    same = person.http.get(workflow, headers={"If-None-Match": f'"other", {etag}'})
    person.http.patch(f"{workflow}/nodes/a", json={"data": {"x": 1}})
    changed = person.http.get(workflow, headers={"If-None-Match": etag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_write_with_an_old_etag_is_refused(person: Person, workflow: str, method: str) -> None:
    etag = person.http.get(workflow).headers["etag"]
    body = {"name": "New"} if method == "PATCH" else None
    person.http.patch(f"{workflow}/nodes/a", json={"data": {"x": 1}})

    old = person.http.request(method, workflow, json=body, headers={"If-Match": etag})
    fresh = person.http.get(workflow).headers["etag"]
    new = person.http.request(method, workflow, json=body, headers={"If-Match": fresh})

    assert (old.status_code, old.json()["code"]) == (412, "PRECONDITION_FAILED")
    assert new.is_success


def test_renaming_is_a_transaction_of_the_log(person: Person, workflow: str) -> None:
    answer = person.http.patch(workflow, json={"name": "New", "viewport": {"x": 0, "y": 0, "zoom": 2}})

    assert (answer.json()["name"], answer.headers["easel-seq"]) == ("New", "2")
    assert person.http.get(f"{workflow}/ops?since=1").json()["items"][0]["ops"][0]["set"]["/name"] == "New"
    assert person.http.patch(workflow, json={"viewport": None}).json()["viewport"] is None


@pytest.mark.parametrize("wrong", [{"name": None}, {"name": ""}, {"viewport": {"x": 1}}, {"viewport": 3}, {"color": 1}])
def test_wrong_change_is_refused(person: Person, workflow: str, wrong: dict[str, Any]) -> None:
    assert person.http.patch(workflow, json=wrong).status_code == 422
    assert person.http.get(workflow).json()["seq"] == 1


def test_list_goes_on_where_the_page_ended(person: Person) -> None:
    ids = [person.workflow(nodes=[], edges=[]) for _ in range(5)]

    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = person.http.get("/api/workflows", params={"limit": "2"} | cursor).json()
        seen += [item["id"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}

    assert seen == ids[::-1]


def test_deleted_workflow_waits_in_the_trash(person: Person, workflow: str) -> None:
    before = person.http.get(workflow).json()

    assert person.http.delete(workflow).status_code == 204
    assert person.http.get(workflow).status_code == 404
    assert person.http.patch(f"{workflow}/nodes/a", json={}).status_code == 404
    assert person.http.delete(workflow).status_code == 404
    assert person.http.get("/api/workflows").json()["items"] == []
    assert [one["id"] for one in person.http.get("/api/workflows?trash=true").json()["items"]] == [before["id"]]

    assert person.http.post(f"{workflow}/restore").json()["nodes"] == before["nodes"]
    assert person.http.post(f"{workflow}/restore").status_code == 404


def test_copy_is_the_copiers(person: Person, stranger: Person) -> None:
    workflow_id = person.workflow()
    person.shares(workflow_id, stranger, "viewer")

    copy = stranger.http.post(f"/api/workflows/{workflow_id}/duplicate").json()

    assert (copy["role"], copy["name"], copy["nodes"], copy["edges"]) == ("owner", "A test (copy)", NODES, EDGES)
    assert person.http.get(f"/api/workflows/{copy['id']}").status_code == 404


def test_members_come_change_and_go(person: Person, stranger: Person) -> None:
    workflow_id = person.workflow()
    members = f"/api/workflows/{workflow_id}/members"

    person.shares(workflow_id, stranger, "viewer")
    person.shares(workflow_id, stranger, "editor")

    listed = person.http.get(members).json()["items"]
    assert [(one["accountId"], one["role"], one["mayRun"]) for one in listed] == [
        (person.id, "owner", True),
        (stranger.id, "editor", True),
    ]
    assert stranger.http.delete(f"{members}/{stranger.id}").status_code == 204, "one may go by oneself"
    assert stranger.http.get(members).status_code == 404


def test_workflow_keeps_its_owner(person: Person, stranger: Person) -> None:
    members = f"/api/workflows/{person.workflow()}/members"

    assert person.http.put(f"{members}/{stranger.id}", json={"role": "owner"}).status_code == 422
    assert person.http.put(f"{members}/{person.id}", json={"role": "viewer"}).status_code == 409
    assert person.http.delete(f"{members}/{person.id}").status_code == 404
    assert person.http.put(f"{members}/acc_nobody", json={"role": "viewer"}).status_code == 404


def test_invitation_signs_in_with_its_role(person: Person, nobody: httpx.Client) -> None:
    workflow_id = person.workflow()

    invited = person.http.post(f"/api/workflows/{workflow_id}/invites", json={"role": "viewer", "name": "Grace"})

    assert invited.status_code == 201
    assert nobody.get(invited.json()["url"]).status_code == 303
    assert nobody.get("/api/me").json()["name"] == "Grace"
    assert nobody.get(f"/api/workflows/{workflow_id}").json()["role"] == "viewer"

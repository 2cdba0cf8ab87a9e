"""Versions over REST: keep, name, list, preview, compare, go back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from app.routes.versions import MAX_RESTORE_TRIES, put_back
from canvas.errors import Conflict, Invalid
from canvas.hub import Hub
from canvas.ops import Op, Remove, Update
from canvas.store.postgres import Pool
from canvas.store.versions import Version, Versions
from canvas.versions import Contents
from tests.app.running import EDGES, NODES, Person
from tests.canvas.drawing import edge, node
from tests.canvas.world import World, by_request, open_world


@pytest.fixture
def workflow(person: Person) -> str:
    return f"/api/workflows/{person.workflow()}"


def test_version_is_kept_listed_and_read(person: Person, workflow: str) -> None:
    made = person.http.post(f"{workflow}/versions", json={"name": "First light"})
    person.http.delete(f"{workflow}/nodes/a")

    read = person.http.get(made.headers["location"]).json()
    items = person.http.get(f"{workflow}/versions").json()

    version = made.json()
    assert made.status_code == 201
    assert version | {"author": None, "createdAt": None} == {
        "version": 1,
        "name": "First light",
        "kind": "named",
        "seq": 1,
        "author": None,
        "createdAt": None,
        "nodeCount": 2,
        "edgeCount": 1,
    }
    assert version["author"]["id"] == person.id
    assert items == {"items": [version], "nextCursor": None}
    assert read == version | {"nodes": NODES, "edges": EDGES, "viewport": None}


@pytest.mark.parametrize("body", [None, {}, {"name": None}])
def test_version_needs_no_name(person: Person, workflow: str, body: Any) -> None:
    made = person.http.post(f"{workflow}/versions", json=body) if body is not None else _bare(person, workflow)

    assert (made.status_code, made.json()["name"]) == (201, None)
    assert person.http.patch(made.headers["location"], json={"name": "Now it has"}).json()["name"] == "Now it has"


def _bare(person: Person, workflow: str) -> Any:
    return person.http.post(f"{workflow}/versions")


@pytest.mark.parametrize("name", ["", " ", "x" * 201, 5, "a\0"])
def test_wrong_name_is_refused(person: Person, workflow: str, name: Any) -> None:
    place = person.http.post(f"{workflow}/versions", json={}).headers["location"]

    assert person.http.post(f"{workflow}/versions", json={"name": name}).status_code == 422
    assert person.http.patch(place, json={"name": name}).status_code == 422
    assert person.http.patch(place, json={"name": None}).status_code == 422


def test_list_goes_on_where_the_page_ended(person: Person, workflow: str) -> None:
    for _ in range(3):
        person.http.post(f"{workflow}/versions", json={})

    first = person.http.get(f"{workflow}/versions?limit=2").json()
    second = person.http.get(f"{workflow}/versions?limit=2&cursor={first['nextCursor']}").json()

    assert [item["version"] for item in first["items"] + second["items"]] == [3, 2, 1]
    assert second["nextCursor"] is None


def test_restore_puts_the_document_back_and_says_how_to_undo_it(person: Person, workflow: str) -> None:
    person.http.post(f"{workflow}/versions", json={"name": "Then"})
    person.http.delete(f"{workflow}/nodes/a")
    person.http.patch(f"{workflow}/nodes/b", json={"position": {"x": 1, "y": 1}})
    person.http.patch(workflow, json={"name": "Renamed", "viewport": {"x": 0, "y": 0, "zoom": 2}})
    now = person.http.get(workflow).json()

    answer = person.http.post(f"{workflow}/versions/1/restore")
    then = person.http.get(workflow).json()
    again = person.http.post(f"{workflow}/versions/1/restore")
    log = person.http.get(f"{workflow}/ops?since={now['seq']}").json()["items"]
    undone = person.http.post(f"{workflow}/versions/{answer.json()['before']}/restore")

    assert (answer.status_code, answer.json()) == (200, {"version": 1, "seq": now["seq"] + 1, "before": 2})
    assert answer.headers["easel-seq"] == str(now["seq"] + 1)
    assert (then["nodes"], then["edges"], then.get("viewport"), then["name"]) == (NODES, EDGES, None, "Renamed")
    assert again.json() == {"version": 1, "seq": now["seq"] + 1, "before": None}
    assert [entry["by"]["origin"] for entry in log] == ["restore"]
    assert undone.json()["seq"] == now["seq"] + 2
    back = person.http.get(workflow).json()
    assert {key: back[key] for key in ("nodes", "edges", "viewport")} == {
        key: now[key] for key in ("nodes", "edges", "viewport")
    }


def test_restore_is_seen_by_everyone_at_once(person: Person, workflow: str) -> None:
    person.http.post(f"{workflow}/versions", json={})
    person.http.delete(f"{workflow}/nodes/a")
    with person.at(workflow.rpartition("/")[2]) as socket:
        socket.send('{"type":"hello","protocol":1,"clientId":"tab","resume":null}')
        _until(socket, "snapshot")

        person.http.post(f"{workflow}/versions/1/restore")

        [told] = _until(socket, "ops")["transactions"]
    assert told["by"] == {"userId": person.id, "origin": "restore"}
    assert [(op["op"], op["record"]["id"]) for op in told["ops"]] == [("add", "a"), ("add", "e")]


def _until(socket: ClientConnection, type_: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(socket.recv(timeout=20))
        if message["type"] == type_:
            return message


def test_edge_that_was_imported_with_a_long_id_comes_back(person: Person) -> None:
    """VE2: what a document holds is not judged again"""
    long = {"id": "x" * 900, "source": "a", "target": "b"}
    workflow = f"/api/workflows/{person.workflow(edges=[long])}"
    person.http.post(f"{workflow}/versions", json={})
    person.http.delete(f"{workflow}/edges/{long['id']}")

    answer = person.http.post(f"{workflow}/versions/1/restore")

    assert answer.status_code == 200, answer.text
    assert person.http.get(workflow).json()["edges"] == [long]


def test_versions_are_compared(person: Person, workflow: str) -> None:
    person.http.post(f"{workflow}/versions", json={})
    person.http.post(f"{workflow}/nodes", json=node("c"))
    person.http.patch(f"{workflow}/nodes/a", json={"data": {"prompt": "an owl"}})
    person.http.post(f"{workflow}/versions", json={})
    person.http.delete(f"{workflow}/nodes/b")

    to_current = person.http.get(f"{workflow}/versions/1/diff").json()
    to_second = person.http.get(f"{workflow}/versions/1/diff?to=2").json()

    changed = [{"id": "a", "keys": ["data"]}]
    assert to_current == {
        "nodes": {"added": ["c"], "removed": ["b"], "changed": changed},
        "edges": {"added": [], "removed": ["e"], "changed": []},
        "viewport": False,
    }
    assert to_second["nodes"] == {"added": ["c"], "removed": [], "changed": changed}


@pytest.mark.parametrize("path", ["/0", "/2", "/99999999999999999999", "/x", "/2/diff", "/1/diff?to=7"])
def test_version_that_is_not_there_is_not_found(person: Person, workflow: str, path: str) -> None:
    person.http.post(f"{workflow}/versions", json={})

    assert person.http.get(f"{workflow}/versions{path}").status_code == 404


@pytest.mark.parametrize("path", ["?cursor=x", "?cursor=-1", "?limit=0", "/1/diff?to=x", "/1/diff?to="])
def test_question_that_makes_no_sense_is_refused(person: Person, workflow: str, path: str) -> None:
    person.http.post(f"{workflow}/versions", json={})

    assert person.http.get(f"{workflow}/versions{path}").status_code == 400


def test_version_that_nobody_asked_for_goes_by_itself(person: Person, workflow: str) -> None:
    person.http.post(f"{workflow}/versions", json={})
    person.http.delete(f"{workflow}/nodes/a")
    person.http.post(f"{workflow}/versions/1/restore")

    refused = person.http.delete(f"{workflow}/versions/2")
    deleted = person.http.delete(f"{workflow}/versions/1")

    assert (refused.status_code, refused.json()["code"]) == (409, "INVALID_STATE")
    assert deleted.status_code == 204
    assert person.http.get(f"{workflow}/versions/1").status_code == 404


REQUESTS = [
    ("GET", ""),
    ("GET", "/1"),
    ("GET", "/1/diff"),
    ("POST", ""),
    ("PATCH", "/1"),
    ("DELETE", "/1"),
    ("POST", "/1/restore"),
]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_roles_hold(newcomer: Callable[..., Person], method: str, path: str) -> None:
    """VE8: who may edit may keep, name, delete and restore; who may look may look"""
    owner, editor, viewer, stranger = (newcomer() for _ in range(4))
    workflow_id = owner.workflow()
    owner.shares(workflow_id, editor, "editor")
    owner.shares(workflow_id, viewer, "viewer")
    owner.http.post(f"/api/workflows/{workflow_id}/versions", json={})
    body = {"name": "x"} if method in {"POST", "PATCH"} and "restore" not in path else None

    def status(person: Person) -> int:
        return person.http.request(method, f"/api/workflows/{workflow_id}/versions{path}", json=body).status_code

    assert status(stranger) == 404
    assert status(viewer) == (200 if method == "GET" else 403)
    assert 200 <= status(editor) < 300


# Others at work meanwhile


class Interrupted(Versions):
    """Somebody else's edit comes in just before each restore is committed."""

    def __init__(self, world: World, hub: Hub, edits: list[Op]) -> None:
        super().__init__(world.database)
        self._world = world
        self._hub = hub
        self._edits = edits

    async def make_before_restore(self, workflow_id: str, author_id: str) -> Version:
        version = await super().make_before_restore(workflow_id, author_id)
        if self._edits:
            result = await self._hub.push(workflow_id, by_request(self._world.bob, self._edits.pop(0)))
            assert result.error is None, result.error
        return version


THEN = Contents([node("a"), node("b")], [edge("e", "a", "b")], None)


@pytest.mark.anyio
async def test_edit_that_comes_between_stays(database: Pool) -> None:
    """VE10"""
    world = await open_world(database, node("a"), node("b", data={"p": 1}))
    hub = world.hub()

    await put_back(Interrupted(world, hub, [Update("node", "a", {"/data/p": 2})]), hub, world.id, world.ada, THEN)

    graph = (await hub.read(world.id)).graph
    assert graph.nodes_in_order() == [node("a", data={"p": 2}), node("b")]
    await hub.tasks.finish()


@pytest.mark.anyio
async def test_edit_that_comes_in_the_way_is_met_by_a_second_try(database: Pool) -> None:
    """VE10"""
    world = await open_world(database, node("a"), node("b"))
    hub = world.hub()
    versions = Interrupted(world, hub, [Remove("node", ("b",))])

    before, seq = await put_back(versions, hub, world.id, world.ada, THEN)

    graph = (await hub.read(world.id)).graph
    assert (graph.nodes_in_order(), graph.edges_in_order()) == (THEN.nodes, THEN.edges)
    assert before is not None
    assert (before.seq, seq) == (2, 3), "what the second try replaced is kept, too"
    await hub.tasks.finish()


@pytest.mark.anyio
async def test_restore_gives_up_where_everybody_is_in_its_way(database: Pool) -> None:
    """VE10"""
    world = await open_world(database, node("a"), node("b"))
    hub = world.hub()
    edits: list[Op] = [Update("node", "a", {"/data/p": number}) for number in range(MAX_RESTORE_TRIES)]
    versions = Interrupted(world, hub, edits)
    broken = Contents([node("a"), node("b"), node("c", parentId="gone")], [], None)

    with pytest.raises(Conflict):
        await put_back(versions, hub, world.id, world.ada, broken)
    with pytest.raises(Invalid) as caught:
        await put_back(Versions(database), hub, world.id, world.ada, broken)

    assert caught.value.code == "BAD_PARENT"
    await hub.tasks.finish()

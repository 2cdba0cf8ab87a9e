"""Every route against everybody (R8), generated from the OpenAPI document. A route without a rule here fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import httpx
import pytest

from app.server import openapi_document
from tests.app.pictures import brings
from tests.app.running import Person, Server, Worker, some_name

# open: anybody · signed: whoever signs the body · signed in: any account · own: of one's own account
# else: what one's role on the workflow must allow
RULES = {
    "getHealth": "open",
    "getLiveness": "open",
    "getReadiness": "open",
    "getObject": "open",
    "putUpload": "signed",
    "receiveReport": "signed",
    "receiveMidjourneyReport": "signed",
    "getMe": "signed in",
    "changeMe": "signed in",
    "createTicket": "signed in",
    "logout": "signed in",
    "listProviders": "signed in",
    "listWorkflows": "signed in",
    "createWorkflow": "signed in",
    "listRuns": "signed in",
    "listRenders": "signed in",
    "importRenders": "signed in",
    "createUploadUrl": "signed in",
    "createArtwork": "signed in",
    "listArtworks": "signed in",
    "getUsage": "signed in",
    "changeRenders": "signed in",
    "getRender": "own",
    "changeRender": "own",
    "deleteRender": "own",
    "restoreRender": "own",
    "getBatch": "own",
    "cancelBatch": "own",
    "getArtwork": "own",
    "changeArtwork": "own",
    "deleteArtwork": "own",
    "restoreArtwork": "own",
    "createLink": "own",
    "getWorkflow": "read",
    "duplicateWorkflow": "read",
    "listOps": "read",
    "listMembers": "read",
    "listNodes": "read",
    "getNode": "read",
    "listEdges": "read",
    "getEdge": "read",
    "watchWorkflow": "read",
    "listVersions": "read",
    "getVersion": "read",
    "compareVersion": "read",
    "createVersion": "write",
    "nameVersion": "write",
    "deleteVersion": "write",
    "restoreVersion": "write",
    "getRun": "read",
    "watchRun": "read",
    "getPreview": "read",
    "changeWorkflow": "write",
    "createNode": "write",
    "changeNode": "write",
    "replaceNode": "write",
    "deleteNode": "write",
    "createEdge": "write",
    "changeEdge": "write",
    "replaceEdge": "write",
    "deleteEdge": "write",
    "pushOps": "write",
    "startRun": "run",
    "startBatch": "run",
    "cancelRun": "run",
    "retryRun": "run",
    "deleteWorkflow": "manage",
    "restoreWorkflow": "manage",
    "setMember": "manage",
    "removeMember": "manage",
    "invite": "manage",
    "createShare": "manage",
    "listShares": "manage",
    "revokeShare": "manage",
    "createWorkflowToken": "manage",
}
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


class Operation(NamedTuple):
    id: str
    method: str
    path: str
    is_open: bool


def _operations() -> list[Operation]:
    return [
        Operation(one["operationId"], method.upper(), path, one["security"] == [])
        for path, item in openapi_document()["paths"].items()
        for method, one in item.items()
    ]


OPERATIONS = _operations()
CLOSED = [one for one in OPERATIONS if RULES.get(one.id) not in {"open", "signed"}]
SCOPED = [one for one in OPERATIONS if RULES.get(one.id) in {"read", "write", "run", "manage", "own"}]


def _those(*rules: str) -> pytest.MarkDecorator:
    found = [one for one in OPERATIONS if RULES.get(one.id) in rules]
    return pytest.mark.parametrize("operation", found, ids=[one.id for one in found])


class World(NamedTuple):
    owner: Person
    editor: Person
    viewer: Person
    stranger: Person
    paths: dict[str, str]
    trashed: str

    def path(self, operation: Operation) -> str:
        paths = self.paths | ({"workflow_id": self.trashed} if operation.id == "restoreWorkflow" else {})
        return operation.path.format(**paths | {"record_id": "e" if operation.path.count("/edges") else "a"})

    def body(self, operation: Operation) -> Any:
        node = {"id": "a", "position": {"x": 1, "y": 2}, "data": {}}
        edge = {"id": "e", "source": "a", "target": "b"}
        bodies: dict[str, Any] = {
            "changeMe": {"color": "#123456"},
            "createWorkflow": {"name": "x"},
            "changeWorkflow": {"name": "x"},
            "createNode": {**node, "id": "new"},
            "changeNode": {"data": {"x": 1}},
            "replaceNode": node,
            "createEdge": {**edge, "id": "new"},
            "changeEdge": {"label": "x"},
            "replaceEdge": edge,
            "pushOps": {"clientId": "c", "clientSeq": 1, "ops": []},
            "startRun": {
                "workflowId": self.paths["workflow_id"],
                "nodeId": "a",
                "provider": "local",
                "promptSpec": {"basePrompt": "x"},
            },
            "importRenders": {"items": [{"url": "https://127.0.0.1/x.png"}]},
            "startBatch": {
                "runs": [
                    {
                        "workflowId": self.paths["workflow_id"],
                        "nodeId": "a",
                        "provider": "local",
                        "promptSpec": {"basePrompt": "x"},
                    }
                ]
            },
            "changeRender": {"isFavorite": True},
            "changeRenders": {"ids": [], "isFavorite": True},
            "nameVersion": {"name": "x"},
            "createUploadUrl": {"filename": "a.png", "contentType": "image/png"},
            "createArtwork": {"title": "x", "originalKey": "uploads/x/y"},
            "changeArtwork": {"title": "x"},
            "createLink": {"url": self.paths["original"]},
            "setMember": {"role": "viewer"},
            "invite": {"role": "viewer", "name": "x"},
            "createShare": {"role": "viewer"},
            "createWorkflowToken": {"userId": "u", "name": "x", "role": "viewer"},
        }
        return bodies.get(operation.id)

    def asks(self, http: httpx.Client, operation: Operation, **headers: str) -> int:
        """The status that this request is answered with; a stream is not listened to."""
        method, path, body = operation.method, self.path(operation), self.body(operation)
        with http.stream(method, path, json=body, headers=headers) as answer:
            return answer.status_code


@pytest.fixture(scope="module")
def world(server: Server, worker: Worker, database_url: str) -> Iterator[World]:
    with ExitStack() as stack:
        owner, editor, viewer, stranger = (
            Person(server, database_url, f"{role} {some_name()}") for role in ("owner", "editor", "viewer", "stranger")
        )
        for one in (owner, editor, viewer, stranger):
            stack.enter_context(one.http)
        workflow_id, trashed = owner.workflow(), owner.workflow()
        for id_ in (workflow_id, trashed):
            owner.shares(id_, editor, "editor")
            owner.shares(id_, viewer, "viewer")
        owner.http.delete(f"/api/workflows/{trashed}")
        job_id = owner.finishes(workflow_id)["jobId"]
        render = owner.http.get("/api/renders").json()["items"][0]
        key = render["imageUrl"].removeprefix("/objects/")
        paths = {"workflow_id": workflow_id, "job_id": job_id, "render_id": render["id"], "key": key}
        made = owner.http.post(f"/api/workflows/{workflow_id}/versions", json={"name": "kept"}).json()
        paths |= {"account_id": editor.id, "version": str(made["version"]), "provider": "replicate", "token": "x"}
        paths["batch_id"] = owner.batches(workflow_id, "b")["batchId"]
        artwork = brings(owner.http)
        paths |= {"artwork_id": artwork["id"], "original": artwork["originalUrl"]}
        share = owner.http.post(f"/api/workflows/{workflow_id}/shares", json={"role": "viewer"}).json()
        paths["share_id"] = share["id"]
        yield World(owner, editor, viewer, stranger, paths, trashed)


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert set(RULES) == {one.id for one in OPERATIONS}


def test_document_says_which_routes_are_open() -> None:
    assert {one.id for one in OPERATIONS if one.is_open} == {
        id_ for id_, rule in RULES.items() if rule in {"open", "signed"}
    }


@pytest.mark.parametrize("operation", CLOSED, ids=[one.id for one in CLOSED])
def test_nobody_is_asked_to_sign_in(world: World, nobody: httpx.Client, operation: Operation) -> None:
    answer = nobody.request(operation.method, world.path(operation), json=world.body(operation))

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "AUTH_REQUIRED"


@_those("open")
def test_open_route_asks_nobody_to_sign_in(world: World, nobody: httpx.Client, operation: Operation) -> None:
    assert world.asks(nobody, operation) == 200


@_those("signed")
def test_report_without_a_signature_is_refused(world: World, nobody: httpx.Client, operation: Operation) -> None:
    assert world.asks(nobody, operation) == 401


@pytest.mark.parametrize("operation", SCOPED, ids=[one.id for one in SCOPED])
def test_stranger_learns_of_nothing(world: World, operation: Operation) -> None:
    assert world.asks(world.stranger.http, operation) == 404


@_those("read")
def test_viewer_may_read(world: World, operation: Operation) -> None:
    expected = {"getPreview": {200, 404}, "duplicateWorkflow": {201}}  # a preview goes soon after its run

    assert world.asks(world.viewer.http, operation) in expected.get(operation.id, {200})


@_those("write", "run", "manage")
def test_viewer_may_not_write(world: World, operation: Operation) -> None:
    if operation.id == "pushOps":  # a refused push is an answer like others
        pushed = world.viewer.http.post(world.path(operation), json=world.body(operation)).json()
        assert (pushed["outcome"], pushed["error"]["code"]) == ("reject", "FORBIDDEN")
    else:
        assert world.asks(world.viewer.http, operation) == 403


@_those("manage")
def test_editor_may_not_manage(world: World, operation: Operation) -> None:
    other = World(*world[:4], world.paths | {"account_id": world.viewer.id}, world.trashed)

    assert other.asks(world.editor.http, operation) == 403


@_those("own")
def test_members_pictures_are_not_ones_own(world: World, operation: Operation) -> None:
    assert world.asks(world.editor.http, operation) == 404


@pytest.mark.parametrize("origin", [None, "https://elsewhere.example", "null"])
def test_cookie_writes_only_for_our_own_pages(world: World, origin: str | None) -> None:
    with world.owner.browser() as browser:
        del browser.headers["origin"]
        headers = {"Origin": origin} if origin else {}
        for operation in CLOSED:
            if operation.method in WRITES:
                assert world.asks(browser, operation, **headers) == 403, operation.id


def test_asking_which_methods_there_are_needs_no_sign_in(world: World, nobody: httpx.Client) -> None:
    for operation in OPERATIONS:
        answer = nobody.options(world.path(operation))
        assert answer.status_code == 204, operation.id


def test_account_of_every_role_sees_the_same_document(world: World, newcomer: Callable[..., Person]) -> None:
    documents = [
        one.http.get(f"/api/workflows/{world.paths['workflow_id']}").json()
        for one in (world.owner, world.editor, world.viewer)
    ]

    assert [document.pop("role") for document in documents] == ["owner", "editor", "viewer"]
    assert documents[0] == documents[1] == documents[2]

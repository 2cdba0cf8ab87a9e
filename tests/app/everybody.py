"""What every route demands of its caller, and an Easel with one of each kind of caller (R8)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import httpx
import pytest

from app.server import openapi_document
from canvas.protocol import FORBIDDEN, SIGN_IN
from tests.app.pictures import brings
from tests.app.running import Person, Server, Worker, execute, some_name

# open: anybody · signed: whoever signs the body · signed in: any account · own: of one's own account
# else: what one's role on the workflow must allow
RULES = {
    "getHealth": "open",
    "getLiveness": "open",
    "getReadiness": "open",
    "getMetrics": "open",  # to this machine; tests/app/test_metrics.py has the others
    "getObject": "open",
    "putUpload": "signed",
    "receiveReport": "signed",
    "receiveMidjourneyReport": "signed",
    "getMe": "signed in",
    "changeMe": "signed in",
    "createTicket": "signed in",
    "logout": "signed in",
    "logoutEverywhere": "signed in",
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
    "getFailureWebhook": "signed in",
    "setFailureWebhook": "signed in",
    "dropFailureWebhook": "signed in",
    "listNotices": "signed in",
    "replayRuns": "signed in",
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
    "replayNotice": "own",
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
    "dismissRun": "run",
    "deleteWorkflow": "manage",
    "restoreWorkflow": "manage",
    "setMember": "manage",
    "listAccessEvents": "manage",
    "removeMember": "manage",
    "invite": "manage",
    "createShare": "manage",
    "listShares": "manage",
    "revokeShare": "manage",
    "createWorkflowToken": "manage",
}
MESSAGES = {"hello": "read", "push": "write", "presence": "read", "resync": "read", "ping": "read"}
"""The same for what a socket says."""
SAID: dict[str, dict[str, Any]] = {
    "hello": {"type": "hello", "protocol": 1, "clientId": "matrix", "resume": None},
    "push": {"type": "push", "clientSeq": 1, "ops": [{"op": "remove", "kind": "edge", "ids": ["e"]}]},
    "presence": {"type": "presence", "set": {"cursor": {"x": 1, "y": 2}}},
    "resync": {"type": "resync"},
    "ping": {"type": "ping", "t": 7},
}
SECRET = "a secret that has thirty-two bytes or more"
OUTSIDE = {"anonymous": SIGN_IN, "stranger": FORBIDDEN, "expired token": SIGN_IN, "revoked token": SIGN_IN}
OUTSIDE |= {"other issuer": SIGN_IN, "issuer's stranger": FORBIDDEN, "revoked share": FORBIDDEN}
"""Who may do nothing here, and what their sockets are closed with."""
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


def those(*rules: str) -> pytest.MarkDecorator:
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
            "setFailureWebhook": {"url": "https://example.com/hook"},
            "replayRuns": {"jobIds": [self.paths["job_id"]]},
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


async def _dead_notice(database_url: str, account_id: str, job_id: str) -> str:
    failure = '{"code": "INTERNAL", "detail": "x", "retryable": false, "charged": "no"}'
    await execute(database_url, "UPDATE runs SET error = $2 WHERE id = $1", job_id, failure)
    webhook = "INSERT INTO failure_webhooks (id, account_id, url, secret) VALUES ($1, $1, 'https://example.com/', 'x')"
    await execute(database_url, webhook, account_id)
    notice = "INSERT INTO notices (id, webhook_id, run_id, due_at, is_dead) VALUES ($1, $2, $3, NULL, true)"
    await execute(database_url, notice, f"ntc_{job_id}", account_id, job_id)
    return f"ntc_{job_id}"


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
        paths["notice_id"] = asyncio.run(_dead_notice(database_url, owner.id, job_id))
        yield World(owner, editor, viewer, stranger, paths, trashed)

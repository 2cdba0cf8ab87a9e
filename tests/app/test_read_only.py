"""A token that only reads: nothing is changed by it, whoever's it is (CL8)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import asyncpg
import httpx
import pytest
from websockets.sync.client import connect

from app.auth import tokens
from tests.app.everybody import CLOSED, Operation, World, world
from tests.app.running import Person, Server

__all__ = ["world"]  # a fixture of this module, too

SAFE = {"GET", "HEAD", "OPTIONS"}
CHANGING = [one for one in CLOSED if one.method.upper() not in SAFE and one.id not in {"createTicket", "createLink"}]
SECRET_ANSWERS = {"listShares"}
"""What lets its reader do more than read."""
READING = [one for one in CLOSED if one.method.upper() in SAFE]


def read_only_token(database_url: str, account_id: str) -> str:
    async def make() -> str:
        connection = await asyncpg.connect(database_url)
        try:
            return (await tokens.create_token(connection, account_id, "looks", days=None, is_read_only=True))[1]
        finally:
            await connection.close()

    return asyncio.run(make())


@pytest.fixture
def looking(world: World, server: Server, database_url: str) -> Iterator[httpx.Client]:
    """The owner of everything, by a token that only reads."""
    headers = {"Authorization": f"Bearer {read_only_token(database_url, world.owner.id)}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=20, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("operation", CHANGING, ids=[one.id for one in CHANGING])
def test_request_that_would_change_something_is_refused(
    world: World, looking: httpx.Client, operation: Operation
) -> None:
    """CL8"""
    answer = looking.request(operation.method, world.path(operation), json=world.body(operation))

    assert (answer.status_code, answer.json()["code"]) == (403, "TOKEN_READ_ONLY")


def test_what_its_account_may_see_is_shown(world: World, looking: httpx.Client) -> None:
    for operation in READING:
        if operation.id in {"watchRun", "watchWorkflow", *SECRET_ANSWERS}:  # they go on; the others are below
            continue
        seen = looking.request(operation.method, world.path(operation), follow_redirects=False)
        by_owner = world.owner.http.request(operation.method, world.path(operation), follow_redirects=False)
        assert seen.status_code == by_owner.status_code, operation.id


def test_links_that_let_people_in_are_neither_told_nor_opened(world: World, looking: httpx.Client) -> None:
    """CL8"""
    workflow_id = world.paths["workflow_id"]
    made = world.owner.http.post(f"/api/workflows/{workflow_id}/shares", json={"role": "editor"}).json()
    told = looking.get(f"/api/workflows/{workflow_id}/shares")
    opened = looking.get(made["url"], headers={"Accept": "application/json"})

    for answer in (told, opened):
        assert (answer.status_code, answer.json()["code"]) == (403, "TOKEN_READ_ONLY")
    secret = made["url"].rpartition("/")[2]
    for operation in READING:
        if operation.id not in {"watchRun", "watchWorkflow"}:
            assert secret not in looking.request(operation.method, world.path(operation)).text, operation.id


@pytest.mark.parametrize("how", ["header", "ticket"])
def test_its_socket_is_a_viewers_whatever_the_role(person: Person, server: Server, database_url: str, how: str) -> None:
    workflow_id = person.workflow()
    headers = {"Authorization": f"Bearer {read_only_token(database_url, person.id)}"}
    query = ""
    if how == "ticket":
        made = httpx.post(f"{server.url}/api/tickets", headers=headers, trust_env=False)
        assert made.status_code == 201
        query, headers = f"?ticket={made.json()['ticket']}", {}

    url = f"{server.url.replace('http', 'ws')}/ws/workflows/{workflow_id}{query}"
    with connect(url, additional_headers=headers, proxy=None) as socket:
        socket.send(json.dumps({"type": "hello", "protocol": 1, "clientId": "looks", "resume": None}))
        assert json.loads(socket.recv())["role"] == "viewer"
        op = {"op": "update", "kind": "node", "id": "a", "set": {"/data/x": 1}}
        socket.send(json.dumps({"type": "push", "clientSeq": 1, "ops": [op]}))
        answer = json.loads(socket.recv())
        while answer["type"] != "result":
            answer = json.loads(socket.recv(timeout=5))

    assert (answer["outcome"], answer["error"]["code"]) == ("reject", "FORBIDDEN")
    assert "x" not in person.http.get(f"/api/workflows/{workflow_id}/nodes/a").json()["data"]

"""Every route against everybody (R8), generated from the OpenAPI document. A route without a rule here fails."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, get_args

import httpx
import jwt
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from canvas.protocol import SIGN_IN, ClientMessage
from tests.app.everybody import (
    CLOSED,
    MESSAGES,
    OPERATIONS,
    OUTSIDE,
    RULES,
    SAID,
    SCOPED,
    SECRET,
    WRITES,
    Operation,
    World,
    those,
    world,
)
from tests.app.running import Person, Server, execute

__all__ = ["world"]  # a fixture of this module, too


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


@those("open")
def test_open_route_asks_nobody_to_sign_in(world: World, nobody: httpx.Client, operation: Operation) -> None:
    assert world.asks(nobody, operation) == 200


@those("signed")
def test_report_without_a_signature_is_refused(world: World, nobody: httpx.Client, operation: Operation) -> None:
    assert world.asks(nobody, operation) == 401


@pytest.mark.parametrize("operation", SCOPED, ids=[one.id for one in SCOPED])
def test_stranger_learns_of_nothing(world: World, operation: Operation) -> None:
    assert world.asks(world.stranger.http, operation) == 404


@those("read")
def test_viewer_may_read(world: World, operation: Operation) -> None:
    expected = {"getPreview": {200, 404}, "duplicateWorkflow": {201}}  # a preview goes soon after its run

    assert world.asks(world.viewer.http, operation) in expected.get(operation.id, {200})


@those("write", "run", "manage")
def test_viewer_may_not_write(world: World, operation: Operation) -> None:
    if operation.id == "pushOps":  # a refused push is an answer like others
        pushed = world.viewer.http.post(world.path(operation), json=world.body(operation)).json()
        assert (pushed["outcome"], pushed["error"]["code"]) == ("reject", "FORBIDDEN")
    else:
        assert world.asks(world.viewer.http, operation) == 403


@those("manage")
def test_editor_may_not_manage(world: World, operation: Operation) -> None:
    other = World(*world[:4], world.paths | {"account_id": world.viewer.id}, world.trashed)

    assert other.asks(world.editor.http, operation) == 403


@those("own")
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


# Those who were let in once, or would be elsewhere

_addresses = itertools.count(1)


class Doors(NamedTuple):
    """The same Easel by a server that also believes an issuer, and what everybody outside shows it."""

    server: Server
    shows: dict[str, dict[str, str]]

    def status(self, world: World, operation: Operation, caller: str) -> int:
        number = next(_addresses)  # each from an address of its own: refusals are counted by address
        headers = self.shows[caller] | {"X-Forwarded-For": f"198.51.{number >> 8}.{number & 255}"}
        with httpx.Client(base_url=self.server.url, timeout=20, trust_env=False) as http:
            return world.asks(http, operation, **headers)


@pytest.fixture(scope="module")
def doors(world: World, environment: dict[str, str], database_url: str) -> Iterator[Doors]:
    issuer = {"EASEL_JWT_ISSUER": "https://auth.example/", "EASEL_JWT_AUDIENCE": "easel", "EASEL_JWT_SECRET": SECRET}
    server = Server(environment | issuer | {"EASEL_TRUSTED_PROXIES": "127.0.0.1"})
    shows: dict[str, dict[str, str]] = {"anonymous": {}, "stranger": _bearer(world.stranger.token)}
    try:
        for caller, column in (("expired token", "expires_at"), ("revoked token", "revoked_at")):
            member = Person(server, database_url, caller)
            member.http.close()
            world.owner.shares(world.paths["workflow_id"], member, "editor")
            asyncio.run(execute(database_url, f"UPDATE api_tokens SET {column} = now() WHERE id = $1", member.token_id))
            shows[caller] = _bearer(member.token)
        shows["other issuer"] = _bearer(_jwt("https://elsewhere.example/"))
        shows["issuer's stranger"] = _bearer(_jwt("https://auth.example/"))
        shows["revoked share"] = _guest_whose_link_was_revoked(world, server)
        yield Doors(server, shows)
    finally:
        assert server.stop(within_s=5) == 0
    assert "Traceback" not in server.text, server.text


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _jwt(issuer: str) -> str:
    claims = {"iss": issuer, "aud": "easel", "sub": "u", "name": "Eve", "exp": int(time.time()) + 600}
    return jwt.encode(claims, SECRET, algorithm="HS256")


def _guest_whose_link_was_revoked(world: World, server: Server) -> dict[str, str]:
    shares = f"/api/workflows/{world.paths['workflow_id']}/shares"
    link = world.owner.http.post(shares, json={"role": "editor", "mayRun": True}).json()
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as guest:
        assert guest.get(httpx.URL(link["url"]).path).status_code == 303
        cookie = f"easel_session={guest.cookies['easel_session']}"
    assert world.owner.http.delete(f"{shares}/{link['id']}").status_code == 204
    return {"Cookie": cookie, "Origin": server.url}


@pytest.mark.parametrize("caller", OUTSIDE)
def test_nobody_outside_comes_through_any_route(world: World, doors: Doors, caller: str) -> None:
    operations = CLOSED if OUTSIDE[caller] == SIGN_IN else SCOPED
    expected = 401 if OUTSIDE[caller] == SIGN_IN else 404

    statuses = {one.id: doors.status(world, one, caller) for one in operations}

    guests = {"duplicateWorkflow": 403}  # a guest has nothing of their own: said before anything is looked for
    unexpected = {id_: status for id_, status in statuses.items() if status != expected}
    assert unexpected == (guests if caller == "revoked share" else {})


def test_every_message_has_a_rule() -> None:
    assert set(MESSAGES) == set(SAID) == {kind.__struct_config__.tag for kind in get_args(ClientMessage)}


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("caller", OUTSIDE)
def test_nobody_outside_is_told_anything_on_a_socket(world: World, doors: Doors, caller: str, message: str) -> None:
    url = f"{doors.server.url.replace('http', 'ws')}/ws/workflows/{world.paths['workflow_id']}"

    with connect(url, additional_headers=doors.shows[caller], proxy=None) as socket:
        heard, code = _until_it_closes(socket, json.dumps(SAID[message]))

    assert code == OUTSIDE[caller]
    assert [one["type"] for one in heard] == ["error"]


def _until_it_closes(socket: ClientConnection, said: str) -> tuple[list[dict[str, Any]], int]:
    heard: list[dict[str, Any]] = []
    with suppress(ConnectionClosed):  # it may be closed before we have said anything
        socket.send(said)
    with suppress(ConnectionClosed):
        while True:
            heard.append(json.loads(socket.recv(timeout=5)))
    assert socket.close_code is not None
    return heard, socket.close_code


@pytest.mark.parametrize("role", ["viewer", "editor", "owner"])
def test_members_say_what_their_role_allows(world: World, role: str) -> None:
    person: Person = getattr(world, role)
    workflow_id = world.owner.workflow()
    for one in (world.editor, world.viewer):
        world.owner.shares(workflow_id, one, "editor" if one is world.editor else "viewer")

    with person.at(workflow_id) as socket:
        answers: dict[str, Any] = {}
        for said in SAID.values():
            socket.send(json.dumps(said))
        while not {"pong", "result"} <= set(answers):
            answer = json.loads(socket.recv(timeout=5))
            answers[answer["type"]] = answer

    assert "welcome" in answers
    assert "error" not in answers
    result = answers["result"]
    assert result["outcome"] == ("reject" if role == "viewer" else "commit"), result
    assert role != "viewer" or result["error"]["code"] == "FORBIDDEN"
    edges = world.owner.http.get(f"/api/workflows/{workflow_id}/edges").json()["items"]
    assert len(edges) == (1 if role == "viewer" else 0)


@pytest.mark.parametrize("role", ["editor", "owner"])  # the last, for the owner takes everything away
def test_member_is_refused_nothing_that_their_role_allows(world: World, role: str) -> None:
    rules = {"read", "write", "run"} | ({"manage", "own"} if role == "owner" else set())
    may = [one for one in SCOPED if RULES[one.id] in rules and (role == "owner" or one.method != "DELETE")]
    person: Person = getattr(world, role)

    # What is inside goes before what it is in.
    for operation in sorted(may, key=lambda one: (one.method == "DELETE", -len(one.path))):
        status = world.asks(person.http, operation)
        if operation.id != "getPreview":  # it goes soon after its run
            assert status < 500, (operation.id, status)
            assert status not in {401, 403, 404}, (operation.id, status)

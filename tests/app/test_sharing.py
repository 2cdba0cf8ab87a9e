"""Links that give a role, and tokens for another app's users (CONTRACT §3, §4)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.app.running import Person, Server, some_name

Sql = Callable[..., list[dict[str, object]]]


@contextmanager
def browser(server: Server) -> Iterator[httpx.Client]:
    """Somebody's browser, not signed in."""
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}, timeout=20, trust_env=False) as client:
        yield client


def share(person: Person, workflow_id: str, **fields: Any) -> dict[str, Any]:
    answer = person.http.post(f"/api/workflows/{workflow_id}/shares", json={"role": "viewer"} | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def token_for(person: Person, workflow_id: str, **fields: Any) -> dict[str, Any]:
    user = {"userId": "u1", "name": "Ada of the app", "role": "editor"} | fields
    answer = person.http.post(f"/api/workflows/{workflow_id}/tokens", json=user)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def with_token(server: Server, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=20, trust_env=False)


@contextmanager
def socket_of(server: Server, workflow_id: str, headers: dict[str, str], query: str = "") -> Iterator[ClientConnection]:
    """A socket that has been welcomed."""
    url = f"{server.url.replace('http', 'ws')}/ws/workflows/{workflow_id}{query}"
    with connect(url, additional_headers=headers, proxy=None) as socket:
        socket.send(json.dumps({"type": "hello", "protocol": 1, "clientId": some_name(), "resume": None}))
        assert json.loads(socket.recv(timeout=5))["type"] == "welcome"
        yield socket


def closed_with(socket: ClientConnection, within_s: float) -> int:
    end = time.monotonic() + within_s
    with pytest.raises(ConnectionClosed) as closed:
        read_on(socket, end)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def read_on(socket: ClientConnection, end: float) -> None:
    while True:
        socket.recv(timeout=max(0.0, end - time.monotonic()))


def push(http: httpx.Client, workflow_id: str, seq: int = 1) -> dict[str, Any]:
    op = {"op": "update", "kind": "node", "id": "a", "set": {"/data/x": seq}}
    answer = http.post(f"/api/workflows/{workflow_id}/ops", json={"clientId": "t", "clientSeq": seq, "ops": [op]})
    outcome: dict[str, Any] = answer.json()
    return outcome


def test_link_lets_a_browser_in_with_its_role(person: Person, server: Server) -> None:
    workflow_id = person.workflow()
    link = share(person, workflow_id)

    with browser(server) as guest:
        opened = guest.get(link["url"])
        document = guest.get(f"/api/workflows/{workflow_id}").json()

        assert (opened.status_code, opened.headers["location"]) == (303, f"/w/{workflow_id}")
        assert "no-store" in opened.headers["cache-control"]
        assert document["role"] == "viewer"
        assert push(guest, workflow_id)["error"]["code"] == "FORBIDDEN"
        assert [one["id"] for one in guest.get("/api/workflows").json()["items"]] == [workflow_id]


def test_opening_a_link_again_is_the_same_guest(person: Person, server: Server) -> None:
    workflow_id = person.workflow()
    link = share(person, workflow_id, role="editor")

    with browser(server) as guest:
        guest.get(link["url"])
        first = guest.get("/api/me").json()
        guest.get(link["url"])

        assert guest.get("/api/me").json() == first
        assert first["role"] == "guest"
        assert push(guest, workflow_id)["outcome"] == "commit"
    listed = person.http.get(f"/api/workflows/{workflow_id}/shares").json()["items"]
    assert [(one["url"], one["guests"]) for one in listed] == [(link["url"], 1)]


def test_guest_has_nothing_of_their_own(person: Person, server: Server) -> None:
    workflow_id = person.workflow()
    link = share(person, workflow_id, role="editor")

    with browser(server) as guest:
        guest.get(link["url"])

        assert guest.post("/api/workflows", json={"name": "mine"}).status_code == 403
        assert guest.post(f"/api/workflows/{workflow_id}/duplicate").status_code == 403


@pytest.mark.parametrize(("fields", "status"), [({}, 403), ({"mayRun": True}, 202)], ids=["silent", "mayRun"])
def test_link_spends_money_only_when_it_says_so(
    person: Person, server: Server, fields: dict[str, Any], status: int
) -> None:
    workflow_id = person.workflow()
    link = share(person, workflow_id, role="editor", **fields)
    run = {"workflowId": workflow_id, "nodeId": "a", "provider": "local", "promptSpec": {"basePrompt": "x"}}

    with browser(server) as guest:
        guest.get(link["url"])

        assert guest.post("/api/runs", json=run).status_code == status


def test_signed_in_person_keeps_the_account_and_the_higher_role(
    person: Person, stranger: Person, newcomer: Callable[..., Person]
) -> None:
    workflow_id, editor = person.workflow(), newcomer()
    person.shares(workflow_id, editor, "editor")
    url = share(person, workflow_id)["url"]

    for one in (stranger, editor):
        assert one.http.get(url).status_code == 303

    assert stranger.http.get(f"/api/workflows/{workflow_id}").json()["role"] == "viewer"
    assert editor.http.get(f"/api/workflows/{workflow_id}").json()["role"] == "editor"
    members = person.http.get(f"/api/workflows/{workflow_id}/members").json()["items"]
    assert {(one["accountId"], one["role"]) for one in members} == {
        (person.id, "owner"),
        (editor.id, "editor"),
        (stranger.id, "viewer"),
    }


def test_revoked_link_puts_its_guests_out_within_a_second(person: Person, server: Server) -> None:
    workflow_id = person.workflow()
    link = share(person, workflow_id)

    with browser(server) as guest:
        guest.get(link["url"])
        cookie = {"Cookie": f"easel_session={guest.cookies['easel_session']}", "Origin": server.url}
        with socket_of(server, workflow_id, cookie) as socket:
            revoked = person.http.delete(f"/api/workflows/{workflow_id}/shares/{link['id']}")

            assert revoked.status_code == 204
            assert closed_with(socket, within_s=1) == 4503
        assert guest.get(f"/api/workflows/{workflow_id}").status_code == 404
        assert (guest.get(link["url"]).status_code, guest.get(link["url"]).json()["code"]) == (404, "LINK_OVER")
    assert person.http.get(f"/api/workflows/{workflow_id}/shares").json()["items"] == []
    assert person.http.delete(f"/api/workflows/{workflow_id}/shares/{link['id']}").status_code == 404


def test_expired_link_puts_its_guests_out(person: Person, server: Server, sql: Sql) -> None:
    workflow_id = person.workflow()
    link = share(person, workflow_id, expiresAt=(datetime.now(UTC) + timedelta(hours=1)).isoformat())

    with browser(server) as guest:
        guest.get(link["url"])
        cookie = {"Cookie": f"easel_session={guest.cookies['easel_session']}", "Origin": server.url}
        with socket_of(server, workflow_id, cookie) as socket:
            sql("UPDATE shares SET expires_at = now() WHERE id = $1", link["id"])

            assert closed_with(socket, within_s=3) == 4503  # a sweep and a poll, a second each
        assert guest.get(f"/api/workflows/{workflow_id}").status_code == 404
        assert guest.get(link["url"]).status_code == 404


def test_link_to_a_workflow_in_the_trash_is_over_until_it_is_back(person: Person, server: Server) -> None:
    workflow_id = person.workflow()
    link = share(person, workflow_id)
    person.http.delete(f"/api/workflows/{workflow_id}")

    with browser(server) as guest:
        assert guest.get(link["url"]).status_code == 404
        person.http.post(f"/api/workflows/{workflow_id}/restore")
        assert guest.get(link["url"]).status_code == 303


@pytest.mark.parametrize(
    "body",
    [
        {"role": "owner"},
        {"role": "viewer", "expiresAt": "2001-01-01T00:00:00Z"},
        {"role": "viewer", "expiresAt": "2999-01-01T00:00:00"},
        {"role": "viewer", "mayRun": "yes"},
        {},
    ],
    ids=["owner", "past", "no zone", "no boolean", "no role"],
)
def test_share_that_makes_no_sense_is_refused(person: Person, body: dict[str, Any]) -> None:
    assert person.http.post(f"/api/workflows/{person.workflow()}/shares", json=body).status_code == 422


@pytest.mark.parametrize("secret", ["x", "%00", "a/b", "é" * 400])
def test_junk_link_is_not_found(nobody: httpx.Client, secret: str) -> None:
    answer = nobody.get(f"/s/{secret}")

    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers


def test_removed_guest_is_out_and_a_lower_role_is_lower(person: Person, server: Server) -> None:
    workflow_id = person.workflow()
    link = share(person, workflow_id, role="editor")

    with browser(server) as guest:
        guest.get(link["url"])
        member = f"/api/workflows/{workflow_id}/members/{guest.get('/api/me').json()['id']}"

        assert person.http.put(member, json={"role": "viewer"}).status_code == 204
        assert guest.get(f"/api/workflows/{workflow_id}").json()["role"] == "viewer"
        assert person.http.delete(member).status_code == 204
        assert guest.get(f"/api/workflows/{workflow_id}").status_code == 404


def test_workflow_token_opens_its_workflow_and_no_other(person: Person, server: Server) -> None:
    workflow_id, other = person.workflow(), person.workflow()

    with with_token(server, token_for(person, workflow_id)["token"]) as user:
        assert user.get(f"/api/workflows/{workflow_id}").json()["role"] == "editor"
        assert user.get(f"/api/workflows/{other}").status_code == 404
        assert user.get("/api/me").json()["name"] == "Ada of the app"
        assert push(user, workflow_id)["outcome"] == "commit"
        assert user.post("/api/workflows", json={"name": "x"}).status_code == 403


def test_same_user_is_the_same_person_and_the_last_role_counts(person: Person, server: Server) -> None:
    workflow_id, other = person.workflow(), person.workflow()
    first = token_for(person, workflow_id)["token"]
    second = token_for(person, workflow_id, role="viewer", name="Ada L.", color="#112233")["token"]
    elsewhere = token_for(person, other)["token"]

    with with_token(server, first) as one, with_token(server, second) as same, with_token(server, elsewhere) as another:
        assert one.get("/api/me").json() == same.get("/api/me").json()
        assert (one.get("/api/me").json()["name"], one.get("/api/me").json()["color"]) == ("Ada L.", "#112233")
        assert one.get(f"/api/workflows/{workflow_id}").json()["role"] == "viewer"
        assert another.get("/api/me").json()["id"] != one.get("/api/me").json()["id"]


def test_workflow_token_expires_and_takes_its_socket_along(person: Person, server: Server) -> None:
    """CL7"""
    workflow_id = person.workflow()
    made = token_for(person, workflow_id, expiresInS=2)
    headers = {"Authorization": f"Bearer {made['token']}"}

    with with_token(server, made["token"]) as user:
        ticket = user.post("/api/tickets").json()["ticket"]
        with (
            socket_of(server, workflow_id, headers) as by_header,
            socket_of(server, workflow_id, {}, f"?ticket={ticket}") as by_ticket,
        ):
            assert 4100 <= closed_with(by_header, within_s=5) < 4200
            assert 4100 <= closed_with(by_ticket, within_s=2) < 4200
        assert datetime.fromisoformat(made["expiresAt"]) <= datetime.now(UTC)
        assert user.get("/api/me").status_code == 401


@pytest.mark.parametrize(
    "fields",
    [{"userId": ""}, {"userId": "x" * 256}, {"userId": "\0"}, {"name": ""}, {"role": "owner"}, {"expiresInS": 0}],
    ids=str,
)
def test_token_that_makes_no_sense_is_refused(person: Person, fields: dict[str, Any]) -> None:
    user = {"userId": "u", "name": "x", "role": "viewer"} | fields

    assert person.http.post(f"/api/workflows/{person.workflow()}/tokens", json=user).status_code == 422


def test_owner_sees_who_let_whom_in(server: Server, person: Person, newcomer: Callable[..., Person]) -> None:
    """Roles, links and tokens, given, used and taken away, each with who did it."""
    friend, guest = newcomer(), newcomer()
    workflow_id = person.workflow()
    path = f"/api/workflows/{workflow_id}"
    person.shares(workflow_id, friend, "editor")
    person.shares(workflow_id, friend, "editor")  # changes nothing, and is none
    person.shares(workflow_id, friend, "viewer")
    link = person.http.post(f"{path}/shares", json={"role": "viewer"}).json()
    assert guest.http.get(link["url"]).status_code == 303
    person.http.post(f"{path}/tokens", json={"userId": "u1", "name": "Una", "role": "editor"})
    person.http.delete(f"{path}/shares/{link['id']}")
    friend.http.delete(f"{path}/members/{friend.id}")

    listed = person.http.get(f"{path}/access").json()["items"]
    una = next(event["accountId"] for event in listed if event["accountName"] == "Una")
    assert [(event["kind"], event["accountId"], event["role"], event["byId"]) for event in reversed(listed)] == [
        ("role_given", person.id, "owner", None),
        ("role_given", friend.id, "editor", person.id),
        ("role_given", friend.id, "viewer", person.id),
        ("link_made", None, "viewer", person.id),
        ("link_followed", guest.id, "viewer", guest.id),
        ("role_given", una, "editor", person.id),
        ("token_made", una, None, person.id),
        ("link_ended", None, "viewer", person.id),
        ("role_taken", friend.id, "viewer", friend.id),
    ]
    first = person.http.get(f"{path}/access", params={"limit": 4}).json()
    rest = person.http.get(f"{path}/access", params={"limit": 200, "cursor": first["nextCursor"]}).json()
    assert first["items"] + rest["items"] == listed
    assert rest["nextCursor"] is None
    assert person.http.get(f"{path}/access", params={"cursor": "²"}).status_code == 400
    assert friend.http.get(f"{path}/access").status_code == 404

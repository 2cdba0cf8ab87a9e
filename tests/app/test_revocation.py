"""What was taken away acts on open sockets and streams within a second (CL7), on every server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from canvas.protocol import SIGN_IN
from tests.app.running import Person, Server
from tests.app.test_sharing import Sql, closed_with, push, socket_of

WITHIN_S = 1.0
REVOKE = "UPDATE api_tokens SET revoked_at = now() WHERE id = $1"


@contextmanager
def stream_of(server: Server, workflow_id: str, headers: dict[str, str]) -> Iterator[threading.Event]:
    """Set when the server has ended the stream."""
    begun, ended = threading.Event(), threading.Event()

    def listen() -> None:
        with (
            httpx.Client(base_url=server.url, timeout=20, trust_env=False) as http,
            http.stream("GET", f"/api/workflows/{workflow_id}/events", headers=headers) as answer,
        ):
            assert answer.status_code == 200
            lines = answer.iter_lines()
            next(lines)
            begun.set()
            assert list(lines) in ([], [""])
        ended.set()

    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(listen)
        assert begun.wait(5)
        yield ended
        listening.result(timeout=20)


@pytest.fixture(params=["this server", "another server"])
def place(request: pytest.FixtureRequest, server: Server, another_server: Callable[..., Server]) -> Server:
    """Where the socket and the stream are; what is taken away is taken away at `server`."""
    return server if request.param == "this server" else another_server()


def test_revoked_token_closes_its_sockets_and_streams(person: Person, place: Server, sql: Sql) -> None:
    """CL7"""
    workflow_id = person.workflow()
    headers = {"Authorization": f"Bearer {person.token}"}
    ticket = person.http.post("/api/tickets").json()["ticket"]

    with (
        stream_of(place, workflow_id, headers) as ended,
        socket_of(place, workflow_id, headers) as by_header,
        socket_of(place, workflow_id, {}, f"?ticket={ticket}") as by_ticket,
    ):
        sql(REVOKE, person.token_id)

        assert closed_with(by_header, within_s=WITHIN_S) == 4100
        assert closed_with(by_ticket, within_s=0.2) == 4100
        assert ended.wait(0.2)


def test_signing_out_closes_the_sessions_sockets_and_streams(person: Person, place: Server) -> None:
    """CL7"""
    workflow_id = person.workflow()

    with person.browser() as browser, socket_of(place, workflow_id, bearer(person)) as by_token:
        cookie = {"Cookie": f"easel_session={browser.cookies['easel_session']}", "Origin": place.url}
        with stream_of(place, workflow_id, cookie) as ended, socket_of(place, workflow_id, cookie) as socket:
            assert browser.post("/api/logout").status_code == 204

            assert closed_with(socket, within_s=WITHIN_S) == 4100
            assert ended.wait(0.2)
        by_token.send(json.dumps({"type": "ping", "t": 1}))  # another credential of theirs is untouched
        assert said(by_token, "pong")["t"] == 1


def test_signing_out_everywhere_ends_other_browsers_too(person: Person, place: Server) -> None:
    """CL7"""
    workflow_id = person.workflow()

    with person.browser() as here, person.browser() as there:
        cookie = {"Cookie": f"easel_session={there.cookies['easel_session']}", "Origin": place.url}
        with socket_of(place, workflow_id, cookie) as socket:
            assert here.post("/api/logout-everywhere").status_code == 204

            assert closed_with(socket, within_s=WITHIN_S) == 4100
        assert (here.get("/api/me").status_code, there.get("/api/me").status_code) == (401, 401)
    assert person.http.get("/api/me").status_code == 200  # tokens stay


def test_member_who_is_removed_or_lowered_hears_of_it(person: Person, stranger: Person, place: Server) -> None:
    """CL4"""
    workflow_id = person.workflow()
    member = f"/api/workflows/{workflow_id}/members/{stranger.id}"
    person.shares(workflow_id, stranger, "editor")

    with (
        stream_of(place, workflow_id, bearer(stranger)) as ended,
        socket_of(place, workflow_id, bearer(stranger)) as socket,
    ):
        person.http.put(member, json={"role": "viewer"})
        assert said(socket, "role", within_s=WITHIN_S)["role"] == "viewer"
        assert push(stranger.http, workflow_id)["error"]["code"] == "FORBIDDEN"
        assert not ended.is_set()  # a viewer may listen

        person.http.delete(member)
        assert closed_with(socket, within_s=WITHIN_S) == 4503
        assert ended.wait(0.2)


def test_ticket_of_a_revoked_token_opens_nothing(person: Person, server: Server, sql: Sql) -> None:
    """CL7"""
    workflow_id = person.workflow()
    ticket = person.http.post("/api/tickets").json()["ticket"]
    sql(REVOKE, person.token_id)

    url = f"{server.url.replace('http', 'ws')}/ws/workflows/{workflow_id}?ticket={ticket}"
    with connect(url, proxy=None) as socket:  # closed before it could say anything: so it only listens
        assert json.loads(socket.recv(timeout=5))["code"] == "AUTH_REQUIRED"
        assert closed_with(socket, within_s=5) == SIGN_IN


def bearer(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.token}"}


def said(socket: Any, kind: str, within_s: float = 5) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(socket.recv(timeout=within_s))
        if message["type"] == kind:
            return message

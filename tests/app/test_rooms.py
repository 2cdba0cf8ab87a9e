"""The WebSocket's door: who comes in, and what happens to those who do not speak as they should."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.app.running import SERVERS, Person, Server

HELLO = {"type": "hello", "protocol": 1, "clientId": "tab", "resume": None}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[Server]:
    """Both of the ways on which a message can come in."""
    running = SERVERS[request.param](environment)
    yield running
    assert running.stop(within_s=5) == 0
    assert "Traceback" not in running.text, running.text
    assert "[error" not in running.text, running.text


def says(socket: ClientConnection, message: Any) -> None:
    socket.send(message if isinstance(message, str | bytes) else json.dumps(message))


def hears(socket: ClientConnection, type_: str) -> dict[str, Any]:
    """The next message of that type; what comes before it is passed over."""
    while True:
        message: dict[str, Any] = json.loads(socket.recv(timeout=5))
        if message["type"] == type_:
            return message


def closed(socket: ClientConnection, within_s: float = 8) -> int:
    """The code that the server closes with."""
    with pytest.raises(ConnectionClosed) as gone:
        _drain(socket, within_s)
    assert gone.value.rcvd is not None
    return gone.value.rcvd.code


def _drain(socket: ClientConnection, within_s: float) -> None:
    while True:
        socket.recv(timeout=within_s)


def test_hello_is_answered_with_the_document(person: Person) -> None:
    with person.at(person.workflow()) as socket:
        says(socket, HELLO)
        welcome, snapshot = hears(socket, "welcome"), hears(socket, "snapshot")

    assert (welcome["role"], welcome["mode"], welcome["seq"]) == ("owner", "snapshot", 1)
    assert [node["id"] for node in snapshot["nodes"]] == ["a", "b"]


def test_write_over_rest_is_heard_on_the_socket(person: Person) -> None:
    workflow_id = person.workflow()
    with person.at(workflow_id) as socket:
        says(socket, HELLO)
        hears(socket, "snapshot")
        person.http.patch(f"/api/workflows/{workflow_id}/nodes/a", json={"data": {"x": 1}})
        transaction = hears(socket, "ops")["transactions"][0]

    assert transaction["by"] == {"userId": person.id, "origin": "rest"}
    assert transaction["ops"] == [{"op": "update", "kind": "node", "id": "a", "set": {"/data/x": 1}}]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nothing"}, {"Cookie": "easel_session=nothing"}])
def test_nobody_is_told_to_sign_in(server: Server, headers: dict[str, str]) -> None:
    url = f"{server.url.replace('http', 'ws')}/ws/workflows/wf_x"
    with connect(url, additional_headers=headers, proxy=None) as socket:
        assert hears(socket, "error")["code"] == "AUTH_REQUIRED"
        assert closed(socket) == 4100


@pytest.mark.parametrize("workflow_id", ["wf_nowhere", "%00", "x" * 3000, "%ED%A0%80"])
def test_workflow_that_is_not_there(person: Person, workflow_id: str) -> None:
    with person.at(workflow_id) as socket:
        assert closed(socket) == 4503


def test_stranger_is_sent_away(person: Person, stranger: Person) -> None:
    with stranger.at(person.workflow()) as socket:
        assert closed(socket) == 4503


def test_ticket_lets_in_once(person: Person, server: Server) -> None:
    ticket = person.http.post("/api/tickets").json()["ticket"]
    url = f"{server.url.replace('http', 'ws')}/ws/workflows/{person.workflow()}?ticket={ticket}"

    with connect(url, proxy=None) as socket:
        says(socket, HELLO)
        assert hears(socket, "welcome")["role"] == "owner"
    with connect(url, proxy=None) as socket:
        assert closed(socket) == 4100


def test_old_ticket_does_not_let_in(
    person: Person, server: Server, sql: Callable[..., list[dict[str, object]]]
) -> None:
    ticket = person.http.post("/api/tickets").json()["ticket"]
    sql("UPDATE tickets SET expires_at = now() WHERE account_id = $1", person.id)
    url = f"{server.url.replace('http', 'ws')}/ws/workflows/{person.workflow()}?ticket={ticket}"

    with connect(url, proxy=None) as socket:
        assert closed(socket) == 4100


@pytest.mark.parametrize(("origin", "comes_in"), [("own", True), (None, False), ("https://elsewhere.example", False)])
def test_cookie_counts_only_from_our_own_pages(person: Person, origin: str | None, comes_in: bool) -> None:
    with person.browser() as browser:
        cookie = f"easel_session={browser.cookies['easel_session']}"
    url = f"{person.server.url.replace('http', 'ws')}/ws/workflows/{person.workflow()}"
    headers = {"Cookie": cookie} | ({"Origin": person.server.url if origin == "own" else origin} if origin else {})

    with connect(url, additional_headers=headers, proxy=None) as socket:
        if comes_in:
            says(socket, HELLO)
            assert hears(socket, "welcome")["role"] == "owner"
        else:
            assert closed(socket) == 4503


WRONG_HELLOS: list[tuple[Any, int]] = [
    ({**HELLO, "protocol": 2}, 4500),
    ({**HELLO, "protocol": 2**70}, 4500),
    ({**HELLO, "clientId": ""}, 4500),
    ({**HELLO, "clientId": "x" * 65}, 4500),
    ({**HELLO, "clientId": "\0"}, 4500),
    ({"type": "ping", "t": 1}, 4500),
    ("x" * (5 << 20), 4509),
]


@pytest.mark.parametrize(("hello", "code"), WRONG_HELLOS, ids=[str(hello)[:60] for hello, _ in WRONG_HELLOS])
def test_hello_we_cannot_go_on_with(person: Person, hello: Any, code: int) -> None:
    with person.at(person.workflow()) as socket:
        says(socket, hello)
        assert hears(socket, "error")["detail"]
        assert closed(socket) == code


JUNK: list[Any] = [
    b"\x00\x01",
    b"",
    "",
    "{",
    "[]",
    '"hello"',
    '{"type":"fly"}',
    {"type": "push"},
    "[" * 100_000,
    {**HELLO, "resume": {"epoch": "e", "seq": 0, "ackedClientSeq": 2**70}},
    {**HELLO, "resume": {"epoch": "e", "seq": -(2**70)}},
]


@pytest.mark.parametrize("junk", JUNK, ids=[repr(one)[:20] for one in JUNK])
@pytest.mark.parametrize("when", ["before hello", "after hello"])
def test_message_that_cannot_be_understood_leaves_the_socket_open(person: Person, junk: Any, when: str) -> None:
    with person.at(person.workflow()) as socket:
        if when == "after hello":
            says(socket, HELLO)
            hears(socket, "snapshot")

        says(socket, junk)

        assert hears(socket, "error")["code"] == "BAD_MESSAGE"
        says(socket, {"type": "ping", "t": 7} if when == "after hello" else HELLO)
        assert hears(socket, "pong" if when == "after hello" else "welcome")


HOSTILE_PUSHES = [
    {"type": "push", "clientSeq": -(2**70), "ops": []},
    {"type": "push", "clientSeq": 2**70, "ops": []},
    {"type": "push", "clientSeq": 1, "ops": [{"op": "restore", "seq": 2**70}]},
    {"type": "push", "clientSeq": 1, "ops": [{"op": "restore", "seq": -(2**70)}]},
    {"type": "push", "clientSeq": 1, "ops": [{"op": "remove", "kind": "node", "ids": ["\0"]}]},
]


@pytest.mark.parametrize("push", HOSTILE_PUSHES, ids=[str(push)[24:90] for push in HOSTILE_PUSHES])
def test_hostile_numbers_do_not_stop_the_room(person: Person, push: dict[str, Any]) -> None:
    workflow_id = person.workflow()
    with person.at(workflow_id) as socket:
        says(socket, HELLO)
        hears(socket, "snapshot")

        says(socket, push)

        answer = person.http.patch(f"/api/workflows/{workflow_id}/nodes/a", json={"data": {"x": 1}}, timeout=5)
        assert answer.status_code == 200
        assert hears(socket, "ops")["transactions"]


def test_silent_socket_is_closed(another_server: Callable[..., Server], newcomer: Callable[..., Person]) -> None:
    server = another_server(EASEL_HELLO_SECONDS="0.2")
    person = newcomer(at=server)

    with person.at(person.workflow()) as socket:
        assert closed(socket) == 4008
    assert "Traceback" not in server.text


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_role_taken_away_closes_the_socket_within_a_second(person: Person, stranger: Person, role: str) -> None:
    workflow_id = person.workflow()
    person.shares(workflow_id, stranger, role)
    with stranger.at(workflow_id) as socket:
        says(socket, HELLO)
        hears(socket, "snapshot")

        person.http.delete(f"/api/workflows/{workflow_id}/members/{stranger.id}")

        assert closed(socket, within_s=1) == 4503


def test_deleted_workflow_closes_its_sockets(person: Person) -> None:
    workflow_id = person.workflow()
    with person.at(workflow_id) as socket:
        says(socket, HELLO)
        hears(socket, "snapshot")

        person.http.delete(f"/api/workflows/{workflow_id}")

        assert closed(socket) == 4504


def test_second_socket_of_a_tab_closes_the_first(person: Person) -> None:
    workflow_id = person.workflow()
    with person.at(workflow_id) as first, person.at(workflow_id) as second:
        says(first, HELLO)
        hears(first, "snapshot")
        says(second, HELLO)

        assert closed(first) == 4010
        assert hears(second, "welcome")


def test_leaving_at_any_moment_harms_nothing(person: Person, nobody: httpx.Client) -> None:
    """The server's log is looked through for traces when it ends."""
    workflow_id = person.workflow()
    for messages in ([], [HELLO], [HELLO, {"type": "push", "clientSeq": 1, "ops": []}], [HELLO, {"type": "resync"}]):
        for is_abrupt in (False, True):
            with person.at(workflow_id) as socket:
                for message in messages:
                    says(socket, message)
                if is_abrupt:
                    socket.socket.shutdown(2)

    assert nobody.get("/health/live").status_code == 200

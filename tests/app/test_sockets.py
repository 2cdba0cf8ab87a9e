"""Sockets that do not behave: half frames, bombs, floods, and people who never read."""

from __future__ import annotations

import json
import re
import socket as sockets
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection

from app.framing import DEFLATED
from tests.app.running import SERVERS, Person, Server
from tests.app.test_rooms import HELLO, closed, hears, says

PING = {"type": "ping", "t": 7}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[Server]:
    running = SERVERS[request.param](environment)
    yield running
    assert running.stop(within_s=5) == 0
    assert "Traceback" not in running.text, running.text
    assert "[error" not in running.text, running.text


def joined(socket: ClientConnection, client_id: str = "tab") -> ClientConnection:
    says(socket, {**HELLO, "clientId": client_id})
    hears(socket, "snapshot")
    return socket


def raw(socket: ClientConnection, *frames: bytes) -> None:
    socket.socket.sendall(b"".join(frames))


def text(message: Any, *, fin: bool = True, opcode: Opcode = Opcode.TEXT) -> bytes:
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Frame(opcode, data, fin).serialize(mask=True)


def test_frames_cut_anywhere_are_put_together(person: Person) -> None:
    data = text(PING) + text({**PING, "t": "x" * 70_000}) + text({**PING, "t": "y" * 1000})
    with person.at(person.workflow(), compression=None) as socket:
        joined(socket)
        socket.socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        for at, end in pairwise((0, 1, 2, 5, 30, 100, 40_000, 71_000, len(data))):
            raw(socket, data[at:end])

        assert [len(str(hears(socket, "pong")["t"])) for _ in range(3)] == [1, 70_000, 1000]


def test_frame_of_which_half_came_with_hello_is_heard(person: Person) -> None:
    ping = text({**PING, "t": "x" * 200})
    for cut in (1, 3, 9, 150):
        with person.at(person.workflow(), compression=None) as socket:
            raw(socket, text({**HELLO, "clientId": "tab"}) + ping[:cut])
            hears(socket, "snapshot")
            raw(socket, ping[cut:] + text(PING))

            assert [hears(socket, "pong")["t"] for _ in range(2)] == ["x" * 200, 7]


def test_message_in_fragments_with_a_ping_between_is_one_message(person: Person) -> None:
    with person.at(person.workflow(), compression=None) as socket:
        joined(socket)

        raw(
            socket,
            text(b'{"type":"ping",', fin=False),
            Frame(Opcode.PING, b"between").serialize(mask=True),
            text(b'"t":9}', opcode=Opcode.CONT),
            text(PING),
        )

        assert [hears(socket, "pong")["t"] for _ in range(2)] == [9, 7]


def test_what_comes_in_one_breath_is_heard_in_turns_and_in_order(person: Person) -> None:
    """PU12"""
    count = 1_000
    with person.at(person.workflow(), compression=None) as socket:
        joined(socket)

        raw(socket, *(text({**PING, "t": number}) for number in range(count)))

        assert [hears(socket, "pong")["t"] for _ in range(count)] == list(range(count))


BROKEN = {
    "not masked": b"\x81\x05hello",
    "reserved bits": b"\xf1\x80aaaa",
    "nothing to continue": b"\x80\x80aaaa",
    "endless": b"\x81\xff" + b"\x7f" * 12,
}


@pytest.mark.parametrize("frame", BROKEN.values(), ids=BROKEN)
def test_frame_that_breaks_the_protocol_ends_the_socket(person: Person, frame: bytes) -> None:
    """The server's log is looked through for traces when it ends."""
    with person.at(person.workflow(), compression=None) as socket:
        joined(socket)

        raw(socket, frame)

        assert closed(socket) in {1002, 1009}


def test_messages_come_through_compressed_both_ways(person: Person) -> None:
    with person.at(person.workflow(), compression="deflate") as socket:
        joined(socket)

        for size in (1, 1000, 100_000):
            says(socket, {**PING, "t": "z" * size})
            assert len(hears(socket, "pong")["t"]) == size


def test_compressed_bomb_is_too_large(person: Person) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (packer.compress(b" " * (5 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")
    with person.at(person.workflow(), compression="deflate") as socket:
        joined(socket)
        if not socket.protocol.extensions:
            pytest.skip("this server does not compress")

        frame = text(bomb)
        raw(socket, bytes((frame[0] | DEFLATED,)) + frame[1:])

        assert closed(socket) == 4509


def test_too_large_a_message_closes_after_hello_too(person: Person) -> None:
    with person.at(person.workflow()) as socket:
        joined(socket)

        says(socket, "x" * (5 << 20))

        assert hears(socket, "error")["code"] == "MESSAGE_TOO_LARGE"
        assert closed(socket) == 4509


def test_what_is_said_right_after_hello_is_heard_in_order(person: Person) -> None:
    with person.at(person.workflow(), compression=None) as socket:
        raw(socket, text(HELLO), *(text({**PING, "t": number}) for number in range(50)))

        assert [hears(socket, "pong")["t"] for _ in range(50)] == list(range(50))


def test_flood_is_slowed_and_others_are_served(person: Person, stranger: Person) -> None:
    """LM3: five thousand messages at once are more than a burst, so the last answer comes late, but it comes"""
    workflow_id = person.workflow()
    person.shares(workflow_id, stranger, "editor")
    with person.at(workflow_id, compression=None) as flooder, stranger.at(workflow_id) as other:
        joined(flooder)
        joined(other)
        raw(flooder, text({"type": "presence", "set": {"cursor": {"x": 1, "y": 1}}}) * 5000, text(PING))

        says(other, PING)
        assert hears(other, "pong")
        assert hears(flooder, "pong")


def test_junk_without_end_is_answered_and_slowed(person: Person) -> None:
    """LM3, RM6: it costs eleven times as much"""
    with person.at(person.workflow(), compression=None) as socket:
        joined(socket)
        raw(socket, text(b"junk") * 400, text(PING))

        assert sum(hears(socket, "error")["code"] == "BAD_MESSAGE" for _ in range(400)) == 400
        assert hears(socket, "pong")


def resident_bytes(server: Server) -> int:
    status = Path(f"/proc/{server.pid}/status")
    if not status.exists():
        pytest.skip("only Linux tells")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
    assert found
    return int(found[1]) << 10


def test_who_never_reads_is_sent_away_before_it_costs_much(person: Person, stranger: Person) -> None:
    """CL2: ops are never dropped, so it is told to come back and resume"""
    workflow_id = person.workflow(nodes=[], edges=[])
    person.shares(workflow_id, stranger, "viewer")
    with (
        stranger.at(workflow_id, compression=None, max_queue=1, close_timeout=0) as deaf,
        person.at(workflow_id) as busy,
    ):
        says(deaf, HELLO)
        joined(busy)
        before = resident_bytes(person.server)
        gone: list[str] = []
        for number in range(1, 41):  # over REST: one socket may not say so much at once
            node = {"id": f"n{number}", "position": {"x": 0, "y": 0}, "data": {"text": "x" * 900_000}}
            assert person.http.post(f"/api/workflows/{workflow_id}/nodes", json=node).status_code == 201
            while (message := json.loads(busy.recv(timeout=10)))["type"] != "ops":
                gone += message.get("left", [])
            if gone:
                break
        while not gone:
            gone += hears(busy, "frame")["left"]

        assert len(gone) == 1
        assert resident_bytes(person.server) - before < 200 << 20


class UncollectedServer(Server):
    program: ClassVar[list[str]] = ["-m", "tests.app.uncollected"]


def test_of_sockets_that_have_ended_nothing_waits_for_the_garbage_collector(
    environment: dict[str, str], newcomer: Callable[..., Person]
) -> None:
    """CL10"""
    running = UncollectedServer(environment)
    person = newcomer(at=running)
    workflow_id = person.workflow()
    for number in range(4):
        with person.at(workflow_id) as socket:
            joined(socket, f"tab {number}")
            says(socket, PING)
            hears(socket, "pong")
    with person.at(workflow_id) as socket:
        says(socket, PING)  # not hello: it is turned away
        hears(socket, "error")

    assert running.stop(within_s=10) == 0
    assert "uncollected: {}" in running.text

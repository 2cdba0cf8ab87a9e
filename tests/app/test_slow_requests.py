"""Connections that say nothing, half a head or a body drop by drop are ended; nobody else notices."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import ClassVar

import httpx
import pytest

from tests.app.running import ADMIN_TOKEN, Server

HEAD_S, WINDOW_S = 0.4, 0.8


class HastyServer(Server):
    """One whose patience is a tenth of the usual."""

    program: ClassVar[list[str]] = [
        "-c",
        f"import app.slow_requests as slow; slow.HEAD_S, slow.WINDOW_S = {HEAD_S}, {WINDOW_S}; "
        "from app.cli import main; main()",
    ]


@pytest.fixture(scope="module")
def hasty(environment: dict[str, str]) -> Iterator[HastyServer]:
    server = HastyServer(environment)
    yield server
    assert server.stop() == 0
    assert "request.failed" not in server.text, server.text


def head(path: str, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def says(server: Server, first: bytes, drop: bytes = b"", every_s: float = 0.1) -> tuple[bytes, float]:
    """What the server answers to a beginning that goes on drop by drop, and how long until it hangs up."""
    host, port = server.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=10)) as connection:
        began = time.monotonic()
        connection.sendall(first)
        ended = threading.Event()

        def go_on() -> None:
            while drop and not ended.wait(every_s):
                try:
                    connection.sendall(drop)
                except OSError:
                    return

        dropping = threading.Thread(target=go_on)
        dropping.start()
        answered = b""
        try:
            while piece := connection.recv(4096):
                answered += piece
        except ConnectionResetError:
            pass
        took_s = time.monotonic() - began
        ended.set()
        dropping.join()
    return answered, took_s


def test_who_says_nothing_is_hung_up_on(hasty: HastyServer) -> None:
    answered, took_s = says(hasty, b"")
    assert answered == b""
    assert HEAD_S * 0.9 < took_s < 5


@pytest.mark.parametrize("drop", [b"", b"X-More: 1\r\n"], ids=["half a head", "a head line by line"])
def test_head_that_does_not_end(hasty: HastyServer, drop: bytes) -> None:
    answered, took_s = says(hasty, b"GET /api/me HTTP/1.1\r\nHost: x\r\n", drop)
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert took_s < 5


@pytest.mark.parametrize("drop", [b"", b" "], ids=["half a body", "a body drop by drop"])
def test_body_that_does_not_end(hasty: HastyServer, drop: bytes) -> None:
    answered, took_s = says(hasty, head("/api/workflows", 100_000) + b"{", drop)
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert took_s < 5


def test_second_request_of_a_connection_has_as_little_time(hasty: HastyServer) -> None:
    whole = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    answered, took_s = says(hasty, whole + b"GET /health/live HTTP/1.1\r\nHo")
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answered
    assert took_s < 5


def test_large_body_may_take_longer_than_a_window(hasty: HastyServer) -> None:
    pieces = 12

    def slowly() -> Iterator[bytes]:
        yield b'{"name": "' + b" " * 20_000
        for _ in range(pieces):
            time.sleep(WINDOW_S / 4)  # a line of 80 kB/s
            yield b"x" * 10 + b" " * 20_000
        yield b'"}'

    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
    answer = httpx.post(f"{hasty.url}/api/workflows", content=slowly(), headers=headers, timeout=20, trust_env=False)
    assert answer.status_code == 422, answer.text  # the name is too long: it was read whole


def test_who_hangs_up_in_a_body_is_no_failure_of_ours(hasty: HastyServer) -> None:
    host, port = hasty.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)))) as connection:
        connection.sendall(head("/api/workflows", 100) + b"{")
    assert httpx.get(f"{hasty.url}/health/live", trust_env=False).status_code == 200  # and `hasty` looks at the log

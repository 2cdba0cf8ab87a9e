"""A server that is told to stop says so to load balancers first, and goes on meanwhile (CL9)."""

from __future__ import annotations

import json
import signal

import httpx

from tests.app.running import Person, Server, some_name
from tests.app.test_sharing import closed_with

HELLO = json.dumps({"type": "hello", "protocol": 1, "clientId": "c", "resume": None})
FOR_EVER = {"EASEL_SHUTDOWN_DELAY_SECONDS": "600"}


def readiness(server: Server) -> int:
    return httpx.get(f"{server.url}/health/ready", trust_env=False).status_code


def test_leaving_server_is_not_ready_but_serves_until_a_second_signal(environment: dict[str, str]) -> None:
    """CL9"""
    server = Server(environment | FOR_EVER)
    person = Person(server, environment["EASEL_DATABASE_URL"], some_name())
    workflow_id = person.workflow()
    assert readiness(server) == 200

    with person.at(workflow_id) as socket:
        socket.send(HELLO)
        assert json.loads(socket.recv())["type"] == "welcome"
        server.signal(signal.SIGTERM)
        server.wait_for("server.leaving", 10)

        assert readiness(server) == 503
        assert person.http.get(f"/api/workflows/{workflow_id}").status_code == 200
        with person.at(workflow_id) as late:
            late.send(HELLO.replace('"c"', '"d"'))
            assert json.loads(late.recv())["type"] == "welcome"
        assert person.workflow()

        server.signal(signal.SIGTERM)
        code = closed_with(socket, within_s=10)

    assert code == 4000
    person.http.close()
    assert server.stop() == 0


def test_without_a_delay_one_signal_is_enough(environment: dict[str, str]) -> None:
    server = Server(environment)

    assert server.stop() == 0

    assert "server.leaving" not in server.text

"""`easel watch`: what it prints of a real server, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.watch import describe
from canvas.ops import Add, Op, Remove, SetWorkflow, Update
from tests.app.running import Person, Server, Worker

PORT_OF_NOBODY = "http://127.0.0.1:9"


class Watching:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []

    def until(self, pattern: str) -> re.Match[str]:
        """Reads on until a line fits."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{pattern} never came:\n{''.join(self.said)}")

    def ends_by(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)


@contextmanager
def watching(workflow_id: str, url: str, token: str, *options: str) -> Iterator[Watching]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EASEL_")}
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", "watch", workflow_id, "--server", url, *options],
        env=kept | {"EASEL_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Watching(process)
        finally:
            process.kill()


def test_edits_people_and_runs_a_line_each(person: Person, worker: Worker) -> None:
    workflow_id = person.workflow()
    with watching(workflow_id, person.server.url, person.token) as watch:
        watch.until(r"^\d\d:\d\d:\d\d  “A test” at \d+: 2 nodes, 1 edge; nobody else here$")
        name = person.http.get("/api/me").json()["name"]

        person.http.patch(f"/api/workflows/{workflow_id}/nodes/a", json={"data": {"prompt": "an owl"}})
        watch.until(rf" \d+  {name} \(rest\): set /data/prompt on node a$")
        with person.at(workflow_id) as socket:
            socket.send(json.dumps({"type": "hello", "protocol": 1, "clientId": "c", "resume": None}))
            watch.until(rf"{name} has come$")
            ops = [{"op": "update", "kind": "node", "id": id_, "set": {"/position": {"x": 1, "y": 1}}} for id_ in "ab"]
            socket.send(json.dumps({"type": "push", "clientSeq": 1, "ops": ops}))
            watch.until(rf"{name}: moved nodes a, b$")
        watch.until(rf"{name} has left$")
        job_id = person.finishes(workflow_id)["jobId"]
        watch.until(rf"run {job_id} on a: completed$")

        assert watch.ends_by(signal.SIGINT) == 0


def test_json_lines(person: Person) -> None:
    workflow_id = person.workflow()
    with watching(workflow_id, person.server.url, person.token, "--json") as watch:
        watch.until("connected")
        person.http.delete(f"/api/workflows/{workflow_id}/nodes/b")
        watch.until("edited")

        told: list[dict[str, Any]] = [json.loads(line) for line in watch.said]
        assert [line["type"] for line in told] == ["reloaded", "connected", "edited"]
        assert told[2]["transaction"]["ops"][-1] == {"op": "remove", "kind": "node", "ids": ["b"]}
        assert watch.ends_by(signal.SIGTERM) == 0


def test_it_comes_back_to_a_server_that_was_away(
    person: Person, another_server: Callable[..., Server], newcomer: Callable[..., Person]
) -> None:
    server = another_server()
    other = newcomer(at=server)
    workflow_id = other.workflow()
    with watching(workflow_id, server.url, other.token) as watch:
        watch.until("at 1: 2 nodes")
        server.stop()
        watch.until(r"Not connected \(.+\)\. Trying again …$")
        another_server(EASEL_PORT=server.url.rpartition(":")[2])

        watch.until("at 1: 2 nodes")
        assert watch.ends_by(signal.SIGINT) == 0


def test_server_that_is_down_is_said_once() -> None:
    with watching("wf_any", PORT_OF_NOBODY, "a-token") as watch:
        watch.until(r"Not connected \(.+\)\. Trying again …$")
        assert watch.ends_by(signal.SIGINT) == 0


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1"])
def test_address_that_is_none_is_a_sentence(url: str) -> None:
    with watching("wf_any", url, "a-token") as watch:
        watch.until(r"^Error: .* is no address of an Easel")
        assert watch.process.wait(10) == 2


def test_who_may_not_see_it_is_told_so(person: Person, stranger: Person) -> None:
    workflow_id = person.workflow()
    for token, sentence in (
        (stranger.token, "no such workflow, or you have not been invited"),
        ("wrong", "token is unknown"),
    ):
        with watching(workflow_id, person.server.url, token) as watch:
            watch.until(f"^Error: .*{sentence}")
            assert watch.process.wait(10) == 2


def test_reader_who_has_gone_ends_it(person: Person) -> None:
    workflow_id = person.workflow()
    with watching(workflow_id, person.server.url, person.token) as watch:
        watch.until("nobody else here")
        assert watch.process.stdout is not None
        watch.process.stdout.close()
        person.http.delete(f"/api/workflows/{workflow_id}/nodes/b")

        assert watch.process.wait(10) == 0


@pytest.mark.parametrize(
    ("ops", "words"),
    [
        ([Add("node", {"id": "a"}), Add("node", {"id": "b"})], "added nodes a, b"),
        ([Add("node", {"id": str(number)}) for number in range(9)], "added 9 nodes"),
        ([Remove("edge", ("e",)), Remove("node", ("a", "b", "c", "d"))], "removed edge e, removed 4 nodes"),
        ([Update("node", "a", {"/parentId": "g", "/position": {}})], "put into g: node a"),
        ([Update("node", "a", {}, ("/parentId",))], "took out of its group: node a"),
        ([Update("edge", "e", {"/label": "x"}, ("/style",))], "set /label and cleared /style on edge e"),
        ([SetWorkflow({"/name": "Owls", "/viewport": None})], "named it “Owls” and set the viewport"),
    ],
)
def test_transactions_in_a_few_words(ops: list[Op], words: str) -> None:
    assert describe(ops) == words

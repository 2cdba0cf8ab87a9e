"""Real `easel` processes, and people who use them."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, ClassVar

import asyncpg
import httpx
from websockets.sync.client import ClientConnection, connect

from app.auth import accounts, tokens
from app.auth.login_links import link_for
from canvas.store.postgres import Connection

ADMIN_TOKEN = "the-admin-token-of-the-tests"
NODES = [
    {"id": "a", "type": "image_generation", "position": {"x": 10, "y": 20}, "data": {"prompt": "a fox", "kept": 1}},
    {"id": "b", "position": {"x": 100, "y": 200}, "data": {}},
]
EDGES = [{"id": "e", "source": "a", "target": "b"}]
PORTS = range(20_000, 30_000)  # below those that the kernel lends to clients, who would take it while we are down
# What no process of any test may write down: the admin token, API tokens, secrets of webhooks, passwords in addresses.
_SECRET = re.compile(
    rf"{ADMIN_TOKEN}|easel_[A-Za-z0-9_-]{{40,}}|whsec_[A-Za-z0-9+/=]{{16,}}|://[^/@\s]+:(?!\*\*\*)[^/@\s]+@"
)


class Process:
    """One `easel` command until it is stopped; what it logs is read as it comes."""

    program: ClassVar[list[str]] = ["-m", "app.cli"]
    ready_s: ClassVar[float] = 30

    def __init__(self, command: str, environment: dict[str, str], ready: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EASEL_")}
        self._process = subprocess.Popen(
            [sys.executable, *self.program, command],
            env=kept | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.log: list[str] = []
        self._ready = re.compile(ready)
        self._is_ready = threading.Event()
        self._news = threading.Condition()
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()
        if not self._is_ready.wait(self.ready_s) or not self._ready.search(self.text):
            self.stop()
            raise AssertionError(f"`easel {command}` did not come up:\n{self.text}")

    def wait_for(self, words: str, within_s: float) -> None:
        """Until a line says so, or said so before. Raises AssertionError with the log."""
        with self._news:
            if not self._news.wait_for(lambda: any(words in line for line in self.log), within_s):
                raise AssertionError(f"Nothing said “{words}”:\n{self.text}")

    def _read(self, output: IO[str]) -> None:
        for line in output:
            with self._news:
                self.log.append(line)
                self._news.notify_all()
            if self._ready.search(line):
                self._is_ready.set()
        self._is_ready.set()  # it has ended

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def text(self) -> str:
        return "".join(self.log)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """With SIGKILL: it has no time for anything."""
        self._process.kill()
        self._process.wait()

    def stop(self, within_s: float = 10) -> int:
        """Its exit code. Raises TimeoutExpired when it does not end in time."""
        self._process.terminate()
        try:
            return self._process.wait(within_s)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
            assert _SECRET.search(self.text) is None, "a secret is in the log"


class Server(Process):
    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__("serve", {"EASEL_PORT": "0", "EASEL_ADMIN_TOKEN": ADMIN_TOKEN} | environment, "server.ready")
        found = re.search(r'listening(?:=|": ")(127\.0\.0\.1:\d+)', self.text)
        if found is None:
            self.stop()
            raise AssertionError(self.text)
        self.url = f"http://{found[1]}"


class PlainServer(Server):
    """Easel under a WebSocket implementation that knows nothing of it."""

    program: ClassVar[list[str]] = [
        "-c",
        "import app.server; app.server.Connection = 'websockets-sansio'; from app.cli import main; main()",
    ]


SERVERS = {"fast": Server, "plain": PlainServer}


class Worker(Process):
    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__("worker", {"EASEL_LOCAL_PACE_SECONDS": "0"} | environment, "worker.ready")


class Person:
    """Somebody with an API token."""

    def __init__(self, server: Server, database_url: str, name: str) -> None:
        self.server = server
        self._database_url = database_url
        self.id, self.token, self.token_id = asyncio.run(self._sign_up(name))
        headers = {"Authorization": f"Bearer {self.token}"}
        self.http = httpx.Client(base_url=server.url, headers=headers, timeout=20, trust_env=False)

    async def _sign_up(self, name: str) -> tuple[str, str, str]:
        connection = await asyncpg.connect(self._database_url)
        try:
            account = await accounts.create(connection, name)
            token_id, secret = await tokens.create_token(connection, account.id, "tests", days=None)
        finally:
            await connection.close()
        return account.id, secret, token_id

    def workflow(self, **fields: Any) -> str:
        """The id of a new workflow of theirs, by default with two nodes and an edge."""
        document = {"name": "A test", "nodes": NODES, "edges": EDGES} | fields
        answer = self.http.post("/api/workflows", json=document)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def shares(self, workflow_id: str, other: Person, role: str) -> None:
        answer = self.http.put(f"/api/workflows/{workflow_id}/members/{other.id}", json={"role": role})
        assert answer.status_code == 204, answer.text

    def starts(self, workflow_id: str, node_id: str = "a", **more: Any) -> dict[str, Any]:
        """The record of a new run."""
        prompt = {"basePrompt": "A lighthouse at dusk", "size": "256x256", "seed": 7}
        body = {"workflowId": workflow_id, "nodeId": node_id, "provider": "local", "promptSpec": prompt} | more
        answer = self.http.post("/api/runs", json=body)
        assert answer.status_code == 202, answer.text
        record: dict[str, Any] = answer.json()
        return record

    def batches(self, workflow_id: str, *node_ids: str, **more: Any) -> dict[str, Any]:
        """What a new batch of runs, one for each node, is answered with."""
        prompt = {"basePrompt": "A lighthouse at dusk", "size": "256x256", "seed": 7}
        run = {"workflowId": workflow_id, "provider": "local", "promptSpec": prompt}
        body = {"runs": [run | {"nodeId": node_id} for node_id in node_ids]} | more
        answer = self.http.post("/api/runs/batch", json=body)
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/api/batches/{answer.json()['batchId']}"
        made: dict[str, Any] = answer.json()
        return made

    def finishes(self, workflow_id: str, node_id: str = "a") -> dict[str, Any]:
        """The record of a run that has ended."""
        job_id = self.starts(workflow_id, node_id)["jobId"]
        for event in self.watches(f"/api/runs/{job_id}/events"):
            if event["event"] == "end":
                break
        record: dict[str, Any] = self.http.get(f"/api/runs/{job_id}").json()
        assert record["status"] == "completed", record
        return record

    def watches(self, path: str, **headers: str) -> Iterator[dict[str, str]]:
        """Server-sent events until the server ends the stream."""
        with self.http.stream("GET", path, headers={"Accept": "text/event-stream"} | headers) as answer:
            assert answer.status_code == 200, answer.read()
            yield from events_of(answer)

    @contextmanager
    def at(self, workflow_id: str, **options: Any) -> Iterator[ClientConnection]:
        """A WebSocket that has not said hello yet."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.server.url.replace('http', 'ws')}/ws/workflows/{workflow_id}"
        with connect(url, additional_headers=headers, proxy=None, max_size=None, **options) as socket:
            yield socket

    def login_link(self) -> str:
        return asyncio.run(self._login_link())

    async def _login_link(self) -> str:
        connection = await asyncpg.connect(self._database_url)
        try:
            row = await connection.fetchrow(
                "SELECT id, name, color, role, created_at FROM accounts WHERE id = $1", self.id
            )
            assert row is not None
            return await link_for(connection, accounts.Account(**row), self.server.url)
        finally:
            await connection.close()

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """Signed in by cookie, and sending the Origin that a page of this server sends."""
        headers = {"Origin": self.server.url}
        with httpx.Client(base_url=self.server.url, headers=headers, timeout=20, trust_env=False) as client:
            assert client.get(self.login_link()).status_code == 303
            yield client


def events_of(answer: httpx.Response) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line and event:
            yield event
            event = {}
        elif line and not line.startswith(":"):
            field, _, value = line.partition(":")
            event[field] = value.removeprefix(" ")


def free_port() -> int:
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


async def execute(database_url: str, query: str, *values: Any) -> list[dict[str, Any]]:
    connection: Connection = await asyncpg.connect(database_url)
    try:
        return [dict(row) for row in await connection.fetch(query, *values)]
    finally:
        await connection.close()


def some_name() -> str:
    return f"Somebody {secrets.token_hex(3)}"

"""Who is measured: a peer, or Easel. Each is started afresh for every run, on the server's core."""

import contextlib
import itertools
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec

from app.embedded.process import kill_group, spawn
from benchmarks import machine
from benchmarks.databases import Databases
from benchmarks.errors import BenchmarkError
from benchmarks.harness import Harness, PeerSpec

START_TIMEOUT_S = 30
EASEL_TICK_MS = 33
DEFLATE = ["--deflate"]
STAMP_BYTES = {"hocus": 26, "yws": 26, "tldraw": 36, "raw": 29, "sio": 29}
"""`@T` and 20 digits with the key that holds them, as each protocol spells it."""
_prefixes = (f"r{secrets.token_hex(3)}x{number}x" for number in itertools.count())


class Target(msgspec.Struct, frozen=True):
    """A server that runs, and what the generator is told to reach it."""

    pids: list[int]
    arguments: Callable[[int, int], list[str]]
    """For this many rooms with this many clients each."""
    joining: list[str]
    """For joins of the seed document."""
    beside: int = 0
    """A process whose family's CPU counts too: the database."""


class AtWork(msgspec.Struct, frozen=True):
    url: str
    server: int
    workers: list[int]


class Contender(Protocol):
    name: str
    tick_ms: int | None
    """Set for a server that merges: how often it tells the newest."""
    holds_document: bool
    stamp_bytes: int
    """What the generator's mark adds to each move that is delivered."""

    def serving(self, *, seeded: bool = False) -> contextlib.AbstractContextManager[Target]: ...


class Peer:
    tick_ms: int | None = None

    def __init__(self, name: str, spec: PeerSpec, harness: Harness) -> None:
        self.name = name
        self.holds_document = spec.holds_document
        self.stamp_bytes = STAMP_BYTES[spec.proto]
        self._spec = spec
        self._harness = harness

    @contextlib.contextmanager
    def serving(self, *, seeded: bool = False) -> Iterator[Target]:
        port = free_port()
        command = [word.replace("{port}", str(port)) for word in self._spec.command]
        env = self._harness.environment(seeded=seeded)
        with running(command, env, self._harness.work / "peer.log", machine.SERVER_CORE) as pid:
            _wait_for_port(port, self.name)
            arguments = [
                "--port",
                str(port),
                "--proto",
                self._spec.proto,
                "--path",
                self._spec.path,
                *self._spec.options,
            ]
            yield Target(
                pids=machine.tree(pid),
                arguments=lambda _rooms, _clients: [*arguments, "--prefix", next(_prefixes)],
                joining=[*arguments, "--ready-bytes", "200000"],  # the document comes as one message
            )


class Easel:
    """`easel serve` as it is shipped, with real PostgreSQL and Redis on the load's core."""

    name = "easel"
    tick_ms: int | None = EASEL_TICK_MS
    holds_document = True
    stamp_bytes = 0  # it is the coordinate

    def __init__(self, databases: Databases, harness: Harness, *, processes: int = 1, spread: str = "rooms") -> None:
        self._databases = databases
        self._seed = harness.seed
        self._work = harness.work
        self._processes = processes
        self._spread = spread
        self.deflates = False
        """Whether the clients offer permessage-deflate, as browsers do."""

    @contextlib.contextmanager
    def serving(self, *, seeded: bool = False) -> Iterator[Target]:
        ports = [free_port() for _ in range(self._processes)]
        cores = [machine.SERVER_CORE, machine.second_server_core()]
        with contextlib.ExitStack() as stack:
            pids = [
                stack.enter_context(running(serve_command(), self._environment(port), self._work / "easel.log", core))
                for port, core in zip(ports, cores, strict=False)
            ]
            http = stack.enter_context(self._client(ports[0]))
            for port in ports:
                _wait_until_ready(port)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            workflows = Workflows(http, folder / "rooms")
            arguments = self._arguments(ports)
            yield Target(
                pids=[pid for each in pids for pid in machine.tree(each)],
                arguments=lambda rooms, clients: [
                    *arguments,
                    *("--prefix", next(_prefixes)),  # others than those whose pushes these rooms have answered
                    *workflows.give(rooms, some_nodes(clients)),
                ],
                joining=[*arguments, *workflows.give(1, json.loads((self._seed / "nodes.json").read_text()))]
                if seeded
                else [],
                beside=self._databases.postgres_pid,
            )

    @contextlib.contextmanager
    def working(self, workers: int = 1) -> Iterator[AtWork]:
        """With a worker beside the databases, a second one beside the server; the built-in provider does not pause."""
        port = free_port()
        environment = self._environment(port) | {"EASEL_LOCAL_PACE_SECONDS": "0"}
        cores = (machine.LOAD_CORE, machine.SERVER_CORE)[:workers]
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(
                running(serve_command(), environment, self._work / "easel.log", machine.SERVER_CORE)
            )
            pids = [
                stack.enter_context(running(worker_command(), environment, self._work / f"worker{core}.log", core))
                for core in cores
            ]
            _wait_until_ready(port)
            yield AtWork(f"http://127.0.0.1:{port}", server, pids)

    @contextlib.contextmanager
    def answering(self) -> Iterator[str]:
        """Without a worker and without rooms of its own; answers the server's address."""
        port = free_port()
        with running(serve_command(), self._environment(port), self._work / "easel.log", machine.SERVER_CORE):
            _wait_until_ready(port)
            yield f"http://127.0.0.1:{port}"

    @contextlib.contextmanager
    def holding(self, node_count: int) -> Iterator[Target]:
        """Like `serving`, with documents of this size whatever the number of clients."""
        with self.serving() as target:
            make = target.arguments
            yield msgspec.structs.replace(
                target, arguments=lambda rooms, clients: make(rooms, max(clients, node_count))
            )

    def _client(self, port: int) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self._databases.token}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60, trust_env=False)

    def _environment(self, port: int) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EASEL_")}
        return kept | self._databases.environment | {"EASEL_PORT": str(port)}

    def _arguments(self, ports: list[int]) -> list[str]:
        header = f"Authorization: Bearer {self._databases.token}\r\n"
        return [
            *("--proto", "easel", "--path", "/ws/workflows/{room}", "--header", header),
            *("--port", str(ports[0]), "--ports", ",".join(map(str, ports)), "--spread", self._spread),
            *(DEFLATE if self.deflates else []),
        ]


class Workflows:
    """Made over REST, their ids written down for the generator; who wants as many of the same gets them again."""

    def __init__(self, http: httpx.Client, listed: Path) -> None:
        self._http = http
        self._listed = listed
        self._made: dict[int, list[str]] = {}
        """By the number of their nodes. A peer's rooms cost it nothing before somebody enters."""

    def give(self, count: int, nodes: list[dict[str, Any]]) -> list[str]:
        ids = self._made.setdefault(len(nodes), [])
        for number in range(len(ids), count):
            answer = self._http.post("/api/workflows", json={"name": f"Room {number}", "nodes": nodes, "edges": []})
            if answer.status_code != httpx.codes.CREATED:
                raise BenchmarkError(f"Easel refused a workflow of {len(nodes)} nodes: {answer.text[:300]}")
            ids.append(answer.json()["id"])
        self._listed.write_text("\n".join(ids[:count]))
        return ["--rooms-file", str(self._listed)]


def some_nodes(count: int) -> list[dict[str, Any]]:
    return [{"id": f"n{i}", "position": {"x": i, "y": i}, "data": {"label": f"Node {i}"}} for i in range(count)]


def serve_command() -> list[str]:
    return [sys.executable, "-m", "app.cli", "serve"]


def worker_command() -> list[str]:
    return [sys.executable, "-m", "app.cli", "worker"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: list[str], env: dict[str, str], log: Path, core: int) -> Iterator[int]:
    """The id of a process that is pinned to a core, and killed at the end."""
    process = spawn(["taskset", "-c", str(core), *command], env=env, log=log, on_parent_death=signal.SIGKILL)
    try:
        yield process.pid
    finally:
        kill_group(process)


def _wait_for_port(port: int, name: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise BenchmarkError(f"{name} does not listen after {START_TIMEOUT_S} s; its log is peer.log in the work folder.")


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False).is_success:
                return
        time.sleep(0.05)
    raise BenchmarkError(f"Easel is not ready after {START_TIMEOUT_S} s; its log is easel.log in the work folder.")

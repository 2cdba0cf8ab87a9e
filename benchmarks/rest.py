"""W9: a node read, written, listed over REST, beside the same routes on FastAPI and SQLAlchemy, on one PostgreSQL."""

import asyncio
import contextlib
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import cast
from urllib.parse import urlsplit

import httpx
import msgspec
import uvloop

from benchmarks import machine
from benchmarks.bench import Bench
from benchmarks.contenders import free_port, running, some_nodes
from benchmarks.errors import BenchmarkError
from benchmarks.harness import install_python
from benchmarks.pace import at_pace
from benchmarks.results import Row

HERE = Path(__file__).parent
NODES, CONNECTIONS = 100, 16
ROUNDS, WARM_UP_S, MEASURED_S = 24, 0.1, 0.4
CASES = ("read", "write", "list")
PEER = "FastAPI, SQLAlchemy"
START_TIMEOUT_S, PATIENCE_S = 30, 10


class Target(msgspec.Struct, frozen=True):
    url: str
    workflow: str
    token: str
    pids: list[int]


class Measured(msgspec.Struct, frozen=True):
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Of the server, for one request."""
    pace_us: float = 0
    """Of the server's core meanwhile."""


def measure_rest(bench: Bench) -> None:
    """Both servers run for the whole time and are asked in turn: what disturbs one round disturbs both."""
    python = install_python(bench.harness.work / "fastapi", HERE / "peers" / "fastapi.lock")
    with _easel(bench) as easel, _peer(bench, python) as peer:
        targets = {"easel": easel, PEER: peer}
        found: dict[tuple[str, str], list[Measured]] = {(case, name): [] for case in CASES for name in targets}
        for _ in range(ROUNDS):
            machine.wait_until_quiet()
            for (case, name), rounds in found.items():
                uvloop.run(_ask(targets[name], case, WARM_UP_S))
                began = time.monotonic()
                measured = uvloop.run(_ask(targets[name], case, MEASURED_S))
                pace_us = bench.pace.us(machine.SERVER_CORE, began, time.monotonic())
                rounds.append(msgspec.structs.replace(measured, pace_us=pace_us))
        for case in CASES:
            all_rounds = [each for name in targets for each in found[case, name]]
            usual_us = fmean(each.pace_us for each in all_rounds)
            for name in targets:
                bench.results.add(Row("W9", name, _figures(found[case, name], usual_us), case))


def _figures(rounds: list[Measured], usual_us: float) -> dict[str, float | None]:
    """Requests a second and CPU as they would have been at the usual pace of the server's core."""
    paces = [each.pace_us for each in rounds]
    seconds_each = at_pace(usual_us, [1 / each.per_s for each in rounds], paces)
    return {
        "per_s": round(1 / fmean(seconds_each)),
        "least": round(1 / max(seconds_each)),
        "most": round(1 / min(seconds_each)),
        "p50_ms": round(median(each.p50_ms for each in rounds), 2),
        "p99_ms": round(median(each.p99_ms for each in rounds), 2),
        "server_us": round(fmean(at_pace(usual_us, [each.cpu_us for each in rounds], paces))),
    }


# Who is asked


@contextlib.contextmanager
def _easel(bench: Bench) -> Iterator[Target]:
    with bench.easel().working() as easel:  # with its worker, as it is used
        url = easel.url
        headers = {"Authorization": f"Bearer {bench.databases.token}"}
        document = {"name": "Asked", "nodes": some_nodes(NODES), "edges": []}
        made = httpx.post(f"{url}/api/workflows", json=document, headers=headers, trust_env=False)
        made.raise_for_status()
        yield Target(url, made.json()["id"], bench.databases.token, machine.tree(easel.server))


@contextlib.contextmanager
def _peer(bench: Bench, python: Path) -> Iterator[Target]:
    port = free_port()
    command = [str(python), str(HERE / "peers" / "fastapi_nodes.py"), str(port), str(NODES)]
    env = dict(os.environ) | {"DATABASE_URL": bench.databases.database_url}
    with running(command, env, bench.harness.work / "fastapi.log", machine.SERVER_CORE) as pid:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(f"{url}/openapi.json"):
            if time.monotonic() > deadline:
                raise BenchmarkError("FastAPI does not answer; its log is fastapi.log in the work folder.")
            time.sleep(0.05)
        yield Target(url, "workflow", "token", machine.tree(pid))


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url, trust_env=False).is_success
    return False


# Asking


async def _ask(target: Target, case: str, seconds: float) -> Measured:
    """So many connections, each with one request at a time."""
    loop = asyncio.get_running_loop()
    host, port = urlsplit(target.url).netloc.split(":")
    numbers = itertools.count()
    end = loop.time() + seconds
    before, began = machine.cpu_s(target.pids), loop.time()
    opened = [
        await loop.create_connection(lambda: _Asker(_requests(target, case, numbers), end), host, int(port))
        for _ in range(CONNECTIONS)
    ]
    async with asyncio.timeout(seconds + PATIENCE_S):
        times = [each for _, asker in opened for each in await asker.done]
    took_s = loop.time() - began
    cpu_s = machine.cpu_s(target.pids) - before
    centiles = quantiles(times, n=100, method="inclusive")
    return Measured(
        per_s=len(times) / took_s,
        p50_ms=centiles[49] * 1000,
        p99_ms=centiles[98] * 1000,
        cpu_us=cpu_s / len(times) * 1e6,
    )


def _requests(target: Target, case: str, numbers: Iterator[int]) -> Iterator[bytes]:
    nodes = f"/api/workflows/{target.workflow}/nodes"
    head = f"Host: x\r\nAuthorization: Bearer {target.token}\r\n"
    for number in numbers:
        node = f"{nodes}/n{number % NODES}"
        if case == "read":
            yield f"GET {node} HTTP/1.1\r\n{head}\r\n".encode()
        elif case == "list":
            yield f"GET {nodes}?limit={NODES} HTTP/1.1\r\n{head}\r\n".encode()
        else:
            body = json.dumps({"data": {"touched": number}})
            sized = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            yield f"PATCH {node} HTTP/1.1\r\n{head}{sized}\r\n{body}".encode()


class _Asker(asyncio.Protocol):
    """One connection; `done`: how long each answer took, in seconds."""

    def __init__(self, requests: Iterator[bytes], end: float) -> None:
        self._requests = requests
        self._end = end
        self._times: list[float] = []
        self._received = b""
        self.done: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one and says so to nobody
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(BenchmarkError(f"A request was refused: {self._received[:300]!r}"))
            return
        self._received = b""
        now = time.perf_counter()
        self._times.append(now - self._asked)
        if asyncio.get_running_loop().time() < self._end:
            self._send()
        else:
            self.done.set_result(self._times)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(BenchmarkError(f"The server hung up: {exc}"))

    def _send(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(next(self._requests))

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length: ")
    return int(rest.split(b"\r\n", 1)[0])

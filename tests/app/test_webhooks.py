"""CONTRACT §7 at the edge: what is signed has its effect once, and nothing else has any."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.app.flood import OTHERS
from tests.app.reports import FAL, NEW, OLD, SALT, Call, fal_signed, prediction, signed, token_of
from tests.app.running import Person, Server, Worker, execute

pytestmark = pytest.mark.anyio

MIB = 1 << 20
REQUEST = {"nodeId": "a", "promptSpec": {"basePrompt": "a fox"}}


class _Jwks(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        x = base64.urlsafe_b64encode(FAL.public_key().public_bytes_raw()).decode().rstrip("=")
        body = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing to say."""


@pytest.fixture(scope="module")
def fal_queue() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Jwks)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def server(environment: dict[str, str], fal_queue: str) -> Iterator[Server]:
    """One that knows the senders' secrets."""
    secrets = ", ".join("whsec_" + base64.b64encode(secret).decode() for secret in (NEW, OLD))
    names = ("REPLICATE_WEBHOOK_SECRET", "OPENAI_WEBHOOK_SECRET", "WEBHOOK_SECRET")
    running = Server(environment | dict.fromkeys(names, secrets) | {"FAL_QUEUE_URL": fal_queue})
    yield running
    assert running.stop(within_s=5) == 0
    assert "Traceback" not in running.text, running.text
    assert "[error" not in running.text, running.text


@pytest.fixture(scope="module")
def person(server: Server, database_url: str) -> Iterator[Person]:
    ada = Person(server, database_url, "Ada")
    yield ada
    ada.http.close()


@pytest.fixture
def call(person: Person, database_url: str) -> Iterator[Callable[..., Call]]:
    made: list[Call] = []

    def make(provider: str, *, state: str = "accepted", job_id: str | None = "") -> Call:
        workflow_id, order_id = person.workflow(), uuid.uuid4().hex
        job = f"job-{order_id[:8]}"
        one = Call(person, workflow_id, f"run_{order_id[:8]}", order_id, job)
        made.append(one)
        asyncio.run(_store(database_url, one, provider, state, job if job_id == "" else job_id))
        return one

    yield make
    asyncio.run(_end(database_url, [one.run_id for one in made]))


async def _store(database_url: str, one: Call, provider: str, state: str, job_id: str | None) -> None:
    """As a worker would have it that is just waiting for the provider."""
    await execute(
        database_url,
        """
        INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, payload,
          fence, worker, lease_until)
        VALUES ($1, $2, 'a', $3, 'running', 'arq', $4, 'm', $5, $6, 1, 'somebody', now() + interval '1 hour')""",
        one.run_id,
        one.workflow_id,
        one.person.id,
        provider,
        json.dumps({**REQUEST, "workflowId": one.workflow_id, "provider": provider}),
        json.dumps({"salt": SALT}),
    )
    await execute(
        database_url,
        """
        INSERT INTO provider_calls
          (id, run_id, number, attempt, provider, model, credential, request_hash, state, job_id)
        VALUES ($1, $2, 0, 1, $3, 'm', 'c', '', $4, $5)""",
        one.order_id,
        one.run_id,
        provider,
        state,
        job_id,
    )


async def _end(database_url: str, run_ids: list[str]) -> None:
    await execute(
        database_url, "UPDATE runs SET status = 'cancelled', finished_at = now() WHERE id = ANY($1::text[])", run_ids
    )


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """Nobody in particular, and a connection for each report, as senders have."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=f"{server.url}/api/webhooks", timeout=10, trust_env=False, limits=limits) as client:
        yield client


def test_signed_report_has_its_effect_once(http: httpx.Client, call: Callable[..., Call]) -> None:
    one = call("replicate")
    body = prediction(one)
    headers = signed(body)

    answers = [http.post("/replicate", content=body, headers=headers) for _ in range(3)]

    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [
        (200, "known"),
        (200, "duplicate"),
        (200, "duplicate"),
    ]
    assert one.until_told() == ["replicate reports: succeeded"]


def test_every_secret_of_a_rotation_is_believed(http: httpx.Client, call: Callable[..., Call]) -> None:
    body = prediction(call("replicate"))

    for secret in (OLD, NEW):
        assert http.post("/replicate", content=body, headers=signed(body, secret=secret)).status_code == 200


def test_reports_in_any_order_never_take_a_state_back(http: httpx.Client, call: Callable[..., Call]) -> None:
    one = call("replicate")
    for status in ("processing", "succeeded", "starting", "processing"):
        body = prediction(one, status)
        assert http.post("/replicate", content=body, headers=signed(body)).status_code == 200

    assert one.until_told(2) == ["replicate reports: processing", "replicate reports: succeeded"]
    assert len(one.told()) == 2


def test_job_that_nobody_knows_yet_is_kept_and_told_later(
    http: httpx.Client, call: Callable[..., Call], worker: Worker, database_url: str
) -> None:
    """The worker's loop finds it when the job is known: the report was faster than our commit."""
    one = call("replicate", job_id=None)
    body = prediction(one)
    assert http.post("/replicate", content=body, headers=signed(body)).status_code == 202

    asyncio.run(execute(database_url, "UPDATE provider_calls SET job_id = $2 WHERE id = $1", one.order_id, one.job_id))

    assert one.until_told() == ["replicate reports: succeeded"]


def test_call_whose_answer_was_lost_learns_its_job(
    http: httpx.Client, call: Callable[..., Call], database_url: str
) -> None:
    one = call("replicate", state="sending", job_id=None)
    body = prediction(one)

    answer = http.post(f"/replicate?order={one.order_id}", content=body, headers=signed(body))
    one.until_told()

    rows = asyncio.run(execute(database_url, "SELECT job_id FROM provider_calls WHERE id = $1", one.order_id))
    assert (answer.status_code, rows[0]["job_id"]) == (200, one.job_id)


def test_generic_body(http: httpx.Client, call: Callable[..., Call]) -> None:
    one = call("generic")
    body = json.dumps({"type": "job.updated", "data": {"job_id": one.job_id, "status": "completed"}}).encode()

    assert http.post("/generic", content=body, headers=signed(body)).status_code == 200
    assert one.until_told() == ["generic reports: completed"]


def test_fals_signature(http: httpx.Client, call: Callable[..., Call]) -> None:
    one = call("fal")
    body = json.dumps({"request_id": one.job_id, "status": "OK", "payload": {}}).encode()
    forged = fal_signed(body, one.job_id, key=Ed25519PrivateKey.from_private_bytes(b"\1" * 32))

    assert http.post("/fal", content=body, headers=forged).status_code == 401
    assert http.post("/fal", content=body, headers=fal_signed(body, one.job_id)).status_code == 200
    assert one.until_told() == ["fal reports: OK"]


def test_midjourneys_address_is_the_secret(http: httpx.Client, call: Callable[..., Call]) -> None:
    one = call("midjourney")
    body = json.dumps({"id": one.job_id, "status": "IN_PROGRESS", "progress": "45%"}).encode()
    wrong = f"{one.order_id}.{'0' * 64}"

    assert [http.post(f"/midjourney/{token}", content=body).status_code for token in ("x", wrong)] == [401, 401]
    assert [http.post(f"/midjourney/{token_of(one)}", content=body).status_code for _ in range(2)] == [200, 200]
    assert one.until_told() == ["midjourney reports: IN_PROGRESS"]
    assert len(one.told()) == 1


def test_event_of_another_kind_is_kept_quietly(http: httpx.Client) -> None:
    body = b'{"type": "batch.completed", "data": {"id": "batch_1"}}'

    assert http.post("/openai", content=body, headers=signed(body)).status_code == 202


def test_refusal_tells_nothing(http: httpx.Client, call: Callable[..., Call]) -> None:
    one = call("replicate")
    body = prediction(one)
    refused = [
        http.post("/replicate", content=body),
        http.post("/replicate", content=body, headers=signed(body, secret=b"x" * 24)),
        http.post("/replicate", content=body, headers=signed(body, at=time.time() - 301)),
        http.post("/replicate", content=b"[]", headers=signed(b"[]")),
        http.post("/google", content=body, headers=signed(body)),  # no secret is set for it
    ]

    assert {answer.status_code for answer in refused} == {401}
    assert {answer.json()["code"] for answer in refused} == {"WEBHOOK_SIGNATURE_INVALID"}
    assert len({answer.json()["detail"] for answer in refused}) == 1


@pytest.mark.parametrize("provider", ["local", "stability", "comfyui", "nobody", "a%2Fb", "%ff"])
def test_who_sends_no_reports_is_not_there(http: httpx.Client, provider: str) -> None:
    body = b"{}"

    assert http.post(f"/{provider}", content=body, headers=signed(body)).status_code == 404


def test_long_body_is_refused(http: httpx.Client) -> None:
    body = b" " * (MIB + 1)

    assert http.post("/replicate", content=body, headers=signed(body)).status_code == 413
    assert http.post("/replicate", content=iter([b" " * MIB, b" "]), headers=signed(body)).status_code == 413
    assert http.post("/replicate", content=b"[]".rjust(MIB), headers=signed(b"[]".rjust(MIB))).status_code == 401


def test_sender_that_hangs_up_disturbs_nobody(server: Server, http: httpx.Client) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.sendall(b"POST /api/webhooks/replicate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")

    assert http.post("/replicate", content=b"{}").status_code == 401


# Many of them


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.soak)])
def test_whatever_comes_without_a_signature_has_no_effect(
    server: Server, http: httpx.Client, call: Callable[..., Call], database_url: str, count: int
) -> None:
    """CONTRACT §7: 401, no effect, and never an answer of 500 or above; good reports are answered all the while."""
    victim, other = call("replicate"), call("replicate")
    body = prediction(other)
    first = signed(body)
    latencies_s: list[float] = []

    program = [sys.executable, "-m", "tests.app.flood", server.url, victim.order_id, victim.job_id, str(count)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as flood:
        while flood.poll() is None:
            headers = first if len(latencies_s) % 2 else signed(body)  # every second one is a replay
            began = time.perf_counter()
            answer = http.post("/replicate", content=body, headers=headers)
            latencies_s.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text
        assert flood.stdout is not None
        statuses = json.load(flood.stdout)

    about_it = "SELECT event_id FROM webhook_inbox WHERE job_id = $1 OR order_id = $2"
    kept = asyncio.run(execute(database_url, about_it, victim.job_id, victim.order_id))
    told = asyncio.run(execute(database_url, "SELECT seq FROM run_events WHERE run_id = $1", victim.run_id))
    p50_ms, p99_ms = (statistics.quantiles(latencies_s, n=100)[rank] * 1000 for rank in (49, 98))
    print(f"{count} attacks: {statuses}; {len(latencies_s)} good ones, p50 {p50_ms:.1f} ms, p99 {p99_ms:.1f} ms")
    assert statuses == {"401": count + count // OTHERS}
    assert (kept, told) == ([], [])
    assert other.until_told() == ["replicate reports: succeeded"]
    assert len(other.told()) == 1
    if count == 10_000:
        assert p99_ms < 50

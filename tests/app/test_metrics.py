"""What Prometheus finds (CONTRACT §9): every name, after what it counts has happened, and only for operators."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.app.running import ADMIN_TOKEN, Person, Server, Worker, free_port

PROMISED = {
    "image_processing": "counter",
    "image_processing_duration_seconds": "histogram",
    "storage_size_bytes": "gauge",
    "easel_runs": "counter",
    "easel_run_failures": "counter",
    "easel_live_runs": "gauge",
    "easel_dead_runs": "gauge",
    "easel_oldest_due_seconds": "gauge",
    "easel_queue_wait_seconds": "histogram",
    "easel_run_stage_seconds": "histogram",
    "easel_provider_call_seconds": "histogram",
    "easel_cost_usd": "counter",
    "easel_webhooks": "counter",
    "easel_base64_refusals": "counter",
    "easel_poll_timeouts": "counter",
    "easel_storage_writes": "counter",
    "easel_rooms": "gauge",
    "easel_sessions": "gauge",
    "easel_transactions": "counter",
    "easel_commit_seconds": "histogram",
    "easel_commits_failed": "counter",
    "easel_frames": "counter",
    "easel_slow_client_closes": "counter",
    "easel_notices": "counter",
    "easel_event_lag_seconds": "histogram",
    "easel_service_up": "gauge",
    "easel_http_requests": "counter",
    "easel_http_request_seconds": "histogram",
    "easel_info": "gauge",
}
FORBIDDEN_LABELS = {"account", "account_id", "workflow", "workflow_id", "run", "path", "prompt", "url"}


@pytest.fixture(scope="module")
def scraped_worker(own_environment: dict[str, str]) -> Iterator[tuple[Worker, str]]:
    port = free_port()
    worker = Worker(own_environment | {"EASEL_METRICS_PORT": str(port)})
    yield worker, f"http://127.0.0.1:{port}/metrics"
    worker.stop()


@pytest.fixture(scope="module")
def scraped_server(own_environment: dict[str, str]) -> Iterator[Server]:
    server = Server(own_environment)
    yield server
    server.stop()


def samples(url: str, **headers: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """By name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families(url, **headers).values()
        for sample in family.samples
    }


def families(url: str, **headers: str) -> dict[str, Any]:
    answer = httpx.get(url, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def of(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_run_is_seen_in_every_stage(
    scraped_server: Server, scraped_worker: tuple[Worker, str], own_environment: dict[str, str]
) -> None:
    person = Person(scraped_server, own_environment["EASEL_DATABASE_URL"], "watched")
    with person.http:
        workflow_id = person.workflow()
        job_id = person.starts(workflow_id)["jobId"]
        list(person.watches(f"/api/runs/{job_id}/events"))
        refused = person.http.patch(
            f"/api/workflows/{workflow_id}/nodes/a", json={"data": {"x": "data:image/png;base64," + "A" * 200}}
        )
        assert refused.status_code == 422

    server = samples(f"{scraped_server.url}/metrics")
    worker = samples(scraped_worker[1])

    assert worker[of("image_processing_total", status="success")] == 1
    assert worker[of("image_processing_duration_seconds_count")] == 1
    bounds = [dict(labels)["le"] for name, labels in worker if name == "image_processing_duration_seconds_bucket"]
    assert bounds == ["0.1", "0.5", "1.0", "2.0", "5.0", "10.0", "30.0", "+Inf"]
    for stage in ("generation", "upload", "variants", "node"):
        assert worker[of("easel_run_stage_seconds_count", stage=stage)] == 1
    assert worker[of("easel_provider_call_seconds_count", provider="local", outcome="answered")] == 1
    assert worker[of("easel_queue_wait_seconds_count")] == 1
    assert worker[of("easel_storage_writes_total", outcome="success")] >= 3
    assert server[of("easel_runs_total", status="pending")] == 1
    assert worker[of("easel_runs_total", status="running")] == worker[of("easel_runs_total", status="completed")] == 1
    assert server[of("easel_live_runs", status="pending")] == server[of("easel_live_runs", status="running")] == 0
    assert server[of("easel_base64_refusals_total")] >= 1
    assert server[of("storage_size_bytes")] > 0
    assert server[of("easel_event_lag_seconds_count")] > 0
    assert server[of("easel_transactions_total", outcome="reject")] >= 1
    assert server[of("easel_http_requests_total", method="PATCH", status="422")] == 1
    for service in ("database", "redis", "storage", "worker"):
        assert server[of("easel_service_up", service=service)] == 1


def test_every_promised_name_is_there_and_no_label_has_a_callers_words(
    scraped_server: Server, scraped_worker: tuple[Worker, str]
) -> None:
    found = families(f"{scraped_server.url}/metrics")

    assert {name: found[name].type for name in PROMISED} == PROMISED
    ours = {name for name in found if not name.startswith(("python_", "process_"))}
    assert ours == set(PROMISED)
    assert {name for name in families(scraped_worker[1]) if name.startswith("easel_")} <= set(PROMISED)
    labels = {label for family in found.values() for sample in family.samples for label in sample.labels}
    assert not labels & FORBIDDEN_LABELS


def test_room_counts_its_sockets(person: Person, server: Server) -> None:
    workflow_id = person.workflow()
    before = samples(f"{server.url}/metrics")[of("easel_sessions")]
    with person.at(workflow_id) as socket:
        socket.send(json.dumps({"type": "hello", "protocol": 1, "clientId": "watching-client"}))
        assert json.loads(socket.recv(10))["type"] == "welcome"
        during = samples(f"{server.url}/metrics")
    assert during[of("easel_sessions")] == before + 1
    assert during[of("easel_rooms")] >= 1


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_who_comes_through_a_proxy_needs_a_token(server: Server, header: str) -> None:
    refused = httpx.get(f"{server.url}/metrics", headers={header: "127.0.0.1"}, trust_env=False)
    assert (refused.status_code, refused.json()["code"]) == (401, "AUTH_REQUIRED")


def test_token_that_is_set_is_asked_of_everybody(another_server: Callable[..., Server], person: Person) -> None:
    guarded = another_server(EASEL_METRICS_TOKEN="the-scrapers-own-token-of-the-tests")
    url = f"{guarded.url}/metrics"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {person.token}"}):
        assert httpx.get(url, headers=headers, trust_env=False).status_code == 401
    assert samples(url, Authorization="Bearer the-scrapers-own-token-of-the-tests")
    assert samples(url, Authorization=f"Bearer {ADMIN_TOKEN}", **{"X-Forwarded-For": "8.8.8.8"})


def test_guessing_the_token_is_slowed(another_server: Callable[..., Server]) -> None:
    guarded = another_server(EASEL_TRUSTED_PROXIES="127.0.0.1")
    guess = {"X-Forwarded-For": "203.0.113.77", "Authorization": "Bearer a-guess"}
    with httpx.Client(base_url=guarded.url, headers=guess, trust_env=False) as guesser:
        answers = [guesser.get("/metrics").status_code for _ in range(70)]
    assert answers[0] == 401
    assert answers[-1] == 429


def test_openmetrics_is_spoken_to_who_asks_for_it(server: Server) -> None:
    accept = "application/openmetrics-text;version=1.0.0"
    answer = httpx.get(f"{server.url}/metrics", headers={"Accept": accept}, trust_env=False)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_second_worker_on_a_port_says_so(scraped_worker: tuple[Worker, str], own_environment: dict[str, str]) -> None:
    port = scraped_worker[1].split(":")[2].split("/")[0]
    with pytest.raises(AssertionError, match="EASEL_METRICS_PORT to another port"):
        Worker(own_environment | {"EASEL_METRICS_PORT": port})

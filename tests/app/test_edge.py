"""What every answer has, and what bad input gets: a sentence and a 4xx, never a 5xx (R9)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.server import openapi_document
from tests.app.running import Person, Server, Worker

JSON = {"Content-Type": "application/json"}
EVERYWHERE = [
    ("GET", "/health", 200),
    ("GET", "/schema", 200),
    ("GET", "/schema/openapi.json", 200),
    ("GET", "/nothing", 404),
    ("GET", "/api/nothing", 404),
    ("GET", "/assets/nothing.js", 404),
    ("GET", "/objects/nothing", 404),
    ("GET", "/api/me", 401),
    ("PUT", "/api/workflows", 405),
    ("TRACE", "/api/workflows", 405),
    ("OPTIONS", "/api/workflows", 204),
    ("GET", "/login?token=x", 401),
    ("GET", "/%00", 404),
]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("method", "path", "status"), EVERYWHERE)
def test_every_answer_is_guarded(nobody: httpx.Client, method: str, path: str, status: int) -> None:
    answer = nobody.request(method, path)

    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    # A link that lets its bearer in is told to nobody, not even to our own pages.
    assert answer.headers["referrer-policy"] == ("no-referrer" if path.startswith("/login") else "same-origin")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers
    if status >= 400:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (problem["status"], problem["error"], problem["message"]) == (
            status,
            problem["title"],
            problem["detail"],
        )
        assert problem["detail"].endswith(".")


@pytest.mark.parametrize("path", ["/health", "/schema", "/api/workflows", "/api/runs", "/api/me"])
def test_head_is_get_without_its_body(person: Person, path: str) -> None:
    got, head = person.http.get(path), person.http.head(path)

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


def test_head_of_a_stream_does_not_wait_for_its_events(person: Person) -> None:
    answer = person.http.head(f"/api/workflows/{person.workflow()}/events", timeout=5)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_method_that_is_not_possible_says_which_are(nobody: httpx.Client) -> None:
    answer = nobody.put("/api/workflows")

    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


NOT_JSON = ['{"name":', "{name: 1}", "\ufeff{}", '{"name":"\\ud800"}', b'{"name":"\xff"}', "1 2"]


@pytest.mark.parametrize("body", NOT_JSON)
def test_broken_json(person: Person, body: str | bytes) -> None:
    answer = person.http.post("/api/workflows", content=body, headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
    assert answer.json()["detail"].startswith("The body is not JSON")


@pytest.mark.parametrize("body", ["", "null", "[]", '"text"', "5"])
def test_body_that_is_no_object(person: Person, body: str) -> None:
    answer = person.http.post("/api/workflows", content=body, headers=JSON)

    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    assert answer.json()["detail"].startswith("The body")


def test_unknown_field_is_named(person: Person) -> None:
    answer = person.http.patch("/api/me", json={"nmae": "Ada"})

    assert answer.status_code == 422
    assert "nmae" in answer.json()["detail"]


@pytest.mark.parametrize("depth", [70, 900, 100_000])
def test_json_that_is_nested_too_deep(person: Person, depth: int) -> None:
    data = '{"a":' * depth + "1" + "}" * depth
    node = '{"id":"deep","position":{"x":0,"y":0},"data":' + data + "}"
    workflow = f"/api/workflows/{person.workflow()}"

    for path, body in ((f"{workflow}/nodes", node), ("/api/workflows", f'{{"name":"x","nodes":[{node}]}}')):
        answer = person.http.post(path, content=body, headers=JSON)
        assert answer.status_code in {400, 422}
        assert "nested" in answer.json()["detail"]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_body_that_is_too_large(person: Person, headers: dict[str, str]) -> None:
    answer = person.http.post("/api/workflows", content=b" " * (33 << 20), headers=JSON | headers)

    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
    assert "32 MiB" in answer.json()["detail"]


def test_record_that_is_too_large(person: Person) -> None:
    node = {"id": "big", "position": {"x": 0, "y": 0}, "data": {"text": "x" * (1 << 20)}}

    answer = person.http.post(f"/api/workflows/{person.workflow()}/nodes", json=node)

    assert (answer.status_code, answer.json()["code"]) == (422, "RECORD_TOO_LARGE")


HOSTILE_TEXTS = [
    "%00",
    "a%00b",
    "%ED%A0%80",
    "%FF",
    "%F0%9F%92%A9",
    "x" * 5000,
    "..%2F..",
    "'%20OR%201=1--",
    "%25",
    "\u202e",
]
HOSTILE_NUMBERS = ["-1", "0", str(2**31), str(2**63), str(2**64), "9" * 400, "1e3", "1.5", "NaN", "", "abc", "%00"]


def _paths() -> list[tuple[str, str]]:
    return [
        (method.upper(), path) for path, item in openapi_document()["paths"].items() for method in item if "{" in path
    ]


@pytest.mark.parametrize(("method", "path"), _paths())
def test_hostile_ids_are_not_found(person: Person, method: str, path: str) -> None:
    workflow_id = person.workflow()
    for text in HOSTILE_TEXTS:
        for first in (workflow_id, text):
            ids = {name: first if name == "workflow_id" else text for name in re.findall(r"\{(\w+)\}", path)}
            url = path.format(**ids)
            with person.http.stream(method, url, json={"role": "viewer", "name": "x", "ops": []}) as answer:
                assert answer.status_code < 500, (method, url)
                if answer.status_code >= 400:
                    assert json.loads(answer.read())["code"]


QUERIES = [
    ("/api/workflows", ["limit"], ["cursor", "trash"]),
    ("/api/runs", ["limit"], ["cursor", "workflowId", "nodeId", "status", "provider"]),
    ("/api/renders", ["limit"], ["cursor", "workflowId", "provider", "q"]),
    ("/api/workflows/{id}/ops", ["since", "limit"], []),
    ("/login", [], ["token"]),
]


@pytest.mark.parametrize(("path", "numbers", "texts"), QUERIES, ids=[path for path, _, _ in QUERIES])
def test_hostile_queries_are_refused_or_find_nothing(
    person: Person, path: str, numbers: list[str], texts: list[str]
) -> None:
    path = path.format(id=person.workflow())
    asked = [f"{name}={value}" for name in numbers for value in HOSTILE_NUMBERS]
    cursors = ["1.%00", "9" * 30 + ".x", "-99999999999999999.x", "1", ".", "-.x", "1_0.x"]
    asked += [f"{name}={value}" for name in texts for value in HOSTILE_TEXTS + cursors]

    for query in asked:
        answer = person.http.get(f"{path}?{query}")
        assert answer.status_code < 500, query
        if answer.status_code >= 400:
            assert answer.json()["detail"], query


HOSTILE_VALUES: list[Any] = ["\0", "", "x" * 100_000, -1, 2**70, 1.5, None, True, [], {}, [[]], {"a": {"\0": 1}}]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/me", {"name": "x", "color": "#123456"}),
        ("POST", "/api/workflows", {"name": "x", "nodes": [], "edges": [], "viewport": None}),
        ("PATCH", "{workflow}", {"name": "x", "viewport": None}),
        (
            "POST",
            "{workflow}/nodes",
            {"id": "n", "position": {"x": 0, "y": 0}, "data": {}, "parentId": "a", "type": "t"},
        ),
        ("PATCH", "{workflow}/nodes/a", {"position": {"x": 0, "y": 0}, "data": {}, "parentId": "b", "width": 1}),
        ("PUT", "{workflow}/nodes/a", {"position": {"x": 0, "y": 0}, "data": {}, "extent": "parent"}),
        ("POST", "{workflow}/edges", {"id": "n", "source": "a", "target": "b", "sourceHandle": None}),
        ("POST", "{workflow}/ops", {"clientId": "c", "clientSeq": 1, "ops": []}),
        ("POST", "{workflow}/invites", {"role": "viewer", "name": "x"}),
        ("PUT", "{workflow}/members/acc_x", {"role": "viewer"}),
        (
            "POST",
            "/api/runs",
            {"workflowId": "{id}", "nodeId": "a", "provider": "x", "promptSpec": {"basePrompt": "x"}},
        ),
    ],
)
def test_hostile_bodies_are_refused_with_a_sentence(
    person: Person, method: str, path: str, body: dict[str, Any]
) -> None:
    workflow_id = person.workflow()
    path = path.format(workflow=f"/api/workflows/{workflow_id}")
    body = {key: workflow_id if value == "{id}" else value for key, value in body.items()}
    for key in body:
        for value in HOSTILE_VALUES:
            answer = person.http.request(method, path, json=body | {key: value}, timeout=10)
            assert answer.status_code < 500 or answer.json()["code"] == "CONFIG_MISSING", (key, value, answer.text)
            if answer.status_code >= 400:
                assert answer.json()["detail"], (key, value)


def test_docs_page_asks_no_other_host(nobody: httpx.Client) -> None:
    page = nobody.get("/schema")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "//" not in page.text.replace("<!doctype", "")
    for operation in ("createWorkflow", "startRun", "changeNode"):
        assert f'id="{operation}"' in page.text
    assert nobody.get("/schema/style.css").headers["content-type"].startswith("text/css")


def test_health_says_what_is_away(another_server: Callable[..., Server], worker: Worker) -> None:
    server = another_server(EASEL_REDIS_URL="redis://127.0.0.1:1")
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        health, ready, live = (client.get(path) for path in ("/health", "/health/ready", "/health/live"))

    assert health.status_code == 503
    assert health.json()["status"] == "unhealthy"
    assert health.json()["services"] == {
        "database": "connected",
        "redis": "disconnected",
        "storage": "connected",
        "worker": "disconnected",
    }
    assert health.json()["reasons"]["redis"].startswith("Redis")
    assert (ready.status_code, live.status_code) == (200, 200)


def test_edits_go_on_without_redis(another_server: Callable[..., Server], newcomer: Callable[..., Person]) -> None:
    person = newcomer(at=another_server(EASEL_REDIS_URL="redis://127.0.0.1:1"))

    answer = person.http.patch(f"/api/workflows/{person.workflow()}/nodes/a", json={"data": {"x": 1}})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("given", "kept"), [("my-own.id_1", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("", False)]
)
def test_request_has_an_id_in_its_answer(server: Server, given: str, kept: bool) -> None:
    """The caller's own, if it is harmless in a log."""
    answered = httpx.get(f"{server.url}/health/live", headers={"X-Request-Id": given}, trust_env=False)
    found = answered.headers["x-request-id"]
    assert (found == given) is kept
    assert 1 <= len(found) <= 64


def test_log_lines_of_a_request_say_whose_it_is(another_server: Callable[..., Server], person: Person) -> None:
    loud = another_server(LOG_LEVEL="debug", EASEL_ENV="production")
    headers = {"Authorization": f"Bearer {person.token}", "X-Request-Id": "traced-request"}
    answered = httpx.get(f"{loud.url}/api/workflows/wf_none", headers=headers, trust_env=False)
    assert answered.status_code == 404
    loud.stop()

    lines = [json.loads(line) for line in loud.log if '"traced-request"' in line]
    [line] = [line for line in lines if line["event"] == "request.answered"]
    assert (line["account"], line["workflow"], line["status"], line["method"]) == (person.id, "wf_none", 404, "GET")

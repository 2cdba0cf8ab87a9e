"""Runs over REST and as server-sent events, from the request to the picture on the node."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from app.routes.streams import after_of
from tests.app.running import Person, Server, Worker

pytestmark = pytest.mark.usefixtures("worker")


def test_picture_arrives_on_its_node_and_in_my_renders(person: Person) -> None:
    workflow_id = person.workflow()

    record = person.finishes(workflow_id)

    data = person.http.get(f"/api/workflows/{workflow_id}/nodes/a").json()["data"]
    assert (data["status"], data["jobId"], data["imageUrl"]) == ("completed", record["jobId"], record["imageUrl"])
    assert (data["prompt"], data["kept"]) == ("a fox", 1)
    render = person.http.get("/api/renders", params={"workflowId": workflow_id}).json()["items"][0]
    assert (render["imageUrl"], render["width"], render["height"]) == (record["imageUrl"], 256, 256)
    assert [(one["kind"], one["width"], one["height"]) for one in render["variants"][:2]] == [
        ("thumbnail", 300, 300),
        ("icon", 128, 128),
    ]
    assert all(1 < len(one["blur"]) <= 36 for one in render["variants"])
    for url in (render["imageUrl"], *(one["url"] for one in render["variants"])):
        assert person.http.get(url).headers["content-type"].startswith("image/")
    assert person.http.get(f"/api/renders/{render['id']}").json() == render


def test_events_come_in_order_and_end(person: Person) -> None:
    job_id = person.starts(person.workflow())["jobId"]

    events = list(person.watches(f"/api/runs/{job_id}/events"))

    *told, end = events
    assert end["event"] == "end"
    assert [int(event["id"]) for event in told] == list(range(1, len(told) + 1))
    bodies = [json.loads(event["data"]) for event in told]
    assert [event["event"] for event in told] == [body["kind"] for body in bodies]
    assert {body["jobId"] for body in bodies} == {job_id}
    assert (told[0]["event"], told[-1]["event"]) == ("status", "status")
    progress = [body["progress"] for body in bodies if body["kind"] == "progress"]
    assert progress == sorted(progress)


@pytest.mark.parametrize("how", ["header", "query"])
def test_stream_goes_on_after_the_last_event(person: Person, how: str) -> None:
    path = f"/api/runs/{person.finishes(person.workflow())['jobId']}/events"
    whole = list(person.watches(path))

    if how == "header":
        rest = list(person.watches(path, **{"Last-Event-ID": "2"}))
    else:
        rest = list(person.watches(f"{path}?lastEventId=2"))

    assert rest == whole[2:]


def test_stream_that_has_ended_is_not_opened_again(person: Person) -> None:
    path = f"/api/runs/{person.finishes(person.workflow())['jobId']}/events"
    last = list(person.watches(path))[-2]["id"]

    answer = person.http.get(path, headers={"Last-Event-ID": last})

    assert (answer.status_code, answer.content) == (204, b"")


def test_stored_events_as_a_list(person: Person) -> None:
    workflow_id = person.workflow()
    job_id = person.finishes(workflow_id)["jobId"]

    for path in (f"/api/runs/{job_id}/events", f"/api/workflows/{workflow_id}/events"):
        answer = person.http.get(path, headers={"Accept": "application/json"})
        assert answer.headers["content-type"] == "application/json"
        assert {event["jobId"] for event in answer.json()["items"]} == {job_id}
        none = person.http.get(path, headers={"Accept": "application/json", "Last-Event-ID": "9" * 18})
        assert none.json() == {"items": [], "nextCursor": None}


def test_workflows_stream_tells_of_all_its_runs(person: Person) -> None:
    workflow_id = person.workflow()
    jobs = [person.finishes(workflow_id, node)["jobId"] for node in ("a", "b")]

    seen: list[dict[str, str]] = []
    for event in person.watches(f"/api/workflows/{workflow_id}/events"):
        seen.append(event)
        if json.loads(event["data"])["jobId"] == jobs[1] and '"completed"' in event["data"]:
            break

    assert [int(event["id"]) for event in seen] == list(range(1, len(seen) + 1))
    assert list(dict.fromkeys(json.loads(event["data"])["jobId"] for event in seen)) == jobs


def test_stream_begins_before_its_first_event(person: Person) -> None:
    path = f"/api/workflows/{person.workflow()}/events"

    with person.http.stream("GET", path) as answer:
        assert next(answer.iter_lines()) == ": hello"


@pytest.mark.parametrize("what", ["role", "trash"])
def test_stream_ends_when_its_listener_may_not_listen_any_more(person: Person, stranger: Person, what: str) -> None:
    workflow_id = person.workflow()
    person.shares(workflow_id, stranger, "viewer")
    path = f"/api/workflows/{workflow_id}"
    listening, ended = threading.Event(), threading.Event()

    def listen() -> None:
        with stranger.http.stream("GET", f"{path}/events") as answer:
            lines = answer.iter_lines()
            next(lines)
            listening.set()
            assert list(lines) in ([], [""])
        ended.set()

    with ThreadPoolExecutor(1) as pool:
        listener = pool.submit(listen)
        assert listening.wait(5)
        # The stream watches for changes from its first byte on or a moment later; it looks once when it begins to.
        gone = person.http.delete(f"{path}/members/{stranger.id}" if what == "role" else path)
        assert gone.status_code == 204
        assert ended.wait(1), "one second after the role"
        listener.result()


def test_streams_and_sockets_end_with_the_server(
    another_server: Callable[..., Server], newcomer: Callable[..., Person]
) -> None:
    server = another_server()
    person = newcomer(at=server)
    path = f"/api/workflows/{person.workflow()}"

    with person.http.stream("GET", f"{path}/events") as answer, person.at(path.rpartition("/")[2]) as socket:
        lines = answer.iter_lines()
        next(lines)
        code = server.stop(within_s=2.5)
        rest = list(lines)
        with pytest.raises(ConnectionClosed) as gone:
            socket.recv(timeout=1)

    assert gone.value.rcvd is not None
    assert gone.value.rcvd.code in {1012, 4000}
    assert code == 0
    assert rest in ([], [""])
    assert "Traceback" not in server.text


def test_same_node_makes_one_picture_at_a_time(person: Person) -> None:
    workflow_id = person.workflow()
    first = person.starts(workflow_id, promptSpec={"basePrompt": "x", "size": "1024x1024"})
    body = {"workflowId": workflow_id, "nodeId": "a", "provider": "local", "promptSpec": {"basePrompt": "y"}}

    second = person.http.post("/api/runs", json=body)

    assert second.status_code == 409
    assert second.json()["jobId"] == first["jobId"]
    assert person.http.post("/api/runs", json=body | {"replace": True}).status_code == 202
    assert person.http.get(f"/api/runs/{first['jobId']}").json()["status"] in {"cancelled", "running"}


def test_ended_run_is_not_cancelled_but_repeated(person: Person) -> None:
    workflow_id = person.workflow()
    job_id = person.finishes(workflow_id)["jobId"]

    cancelled = person.http.post(f"/api/runs/{job_id}/cancel")
    again = person.http.post(f"/api/runs/{job_id}/retry")

    assert (cancelled.status_code, cancelled.json()["code"]) == (409, "INVALID_STATE")
    assert again.status_code == 202
    assert again.headers["location"] == f"/api/runs/{again.json()['jobId']}"
    assert again.json()["jobId"] != job_id


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"promptSpec": {"basePrompt": " "}}, 422, "VALIDATION_FAILED"),
    ({"promptSpec": {}}, 422, "VALIDATION_FAILED"),
    ({"promptSpec": {"basePrompt": "x", "seed": -1}}, 422, "VALIDATION_FAILED"),
    ({"promptSpec": {"basePrompt": "x", "seed": 2**80}}, 422, "VALIDATION_FAILED"),
    ({"promptSpec": {"basePrompt": "x", "n": 0}}, 422, "VALIDATION_FAILED"),
    ({"promptSpec": {"basePrompt": "x", "n": "many"}}, 422, "VALIDATION_FAILED"),
    ({"promptSpec": {"basePrompt": "x", "size": "1x1"}}, 422, "CAPABILITY_UNSUPPORTED"),
    ({"promptSpec": {"basePrompt": "\0"}}, 422, "NUL_CHARACTER"),
    ({"promptSpec": {"basePrompt": "data:image/png;base64," + "A" * 200}}, 422, "BASE64_REFUSED"),
    ({"nodeId": "\0"}, 422, "NUL_CHARACTER"),
    ({"workflowId": "\0"}, 422, "NUL_CHARACTER"),
    ({"workflowId": "wf_nowhere"}, 404, "NOT_FOUND"),
    ({"nodeId": "nowhere"}, 404, "NOT_FOUND"),
    ({"provider": "nope"}, 422, "VALIDATION_FAILED"),
    ({"provider": "openai"}, 503, "CONFIG_MISSING"),
    ({"model": "nope"}, 422, "MODEL_UNKNOWN"),
    ({"webhookUrl": "http://169.254.169.254/"}, 422, "VALIDATION_FAILED"),
    ({"metadata": {"__proto__": 1}}, 422, "VALIDATION_FAILED"),
    ({"unknown": 1}, 422, "VALIDATION_FAILED"),
]


@pytest.mark.parametrize(("change", "status", "code"), WRONG)
def test_run_that_cannot_be_is_refused_before_anything_is_stored(
    person: Person, change: dict[str, Any], status: int, code: str
) -> None:
    body = {"workflowId": person.workflow(), "nodeId": "a", "provider": "local", "promptSpec": {"basePrompt": "x"}}

    answer = person.http.post("/api/runs", json=body | change)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert person.http.get("/api/runs").json()["items"] == []


def test_runs_and_renders_are_found_by_their_filters(person: Person) -> None:
    first, second = person.workflow(), person.workflow()
    one, two = (person.finishes(workflow_id)["jobId"] for workflow_id in (first, second))

    def jobs(path: str, **filters: str) -> list[str]:
        return [item["jobId"] for item in person.http.get(path, params=filters).json()["items"]]

    assert jobs("/api/runs") == jobs("/api/renders") == [two, one]
    assert jobs("/api/runs", workflowId=first, nodeId="a", status="completed", provider="local") == [one]
    assert jobs("/api/renders", workflowId=second, provider="local", q="LIGHTHOUSE") == [two]
    assert jobs("/api/runs", status="failed") == jobs("/api/renders", q="50%_\\") == []


def test_render_stays_when_its_workflow_goes(person: Person, worker: Worker) -> None:
    workflow_id = person.workflow()
    url = person.finishes(workflow_id)["imageUrl"]

    person.http.delete(f"/api/workflows/{workflow_id}")

    assert person.http.get("/api/renders").json()["items"][0]["imageUrl"] == url
    assert person.http.get(url).status_code == 200


@pytest.mark.parametrize(
    ("header", "query", "after"),
    [
        (None, None, 0),
        ("7", None, 7),
        (None, "7", 7),
        ("7", "9", 7),
        ("x", "9", 9),
        ("-1", None, 0),
        ("9" * 30, None, 0),
    ],
)
def test_junk_for_a_last_event_is_the_beginning(header: str | None, query: str | None, after: int) -> None:
    assert after_of(header, query) == after


def test_providers_say_what_is_missing(person: Person, nobody: httpx.Client) -> None:
    found = {one["id"]: one for one in person.http.get("/api/providers").json()}

    assert found["local"]["configured"]
    assert found["local"]["models"][0]["id"] == "studio-1"
    assert (found["openai"]["configured"], found["openai"]["missingSetting"]) == (False, "OPENAI_API_KEY")

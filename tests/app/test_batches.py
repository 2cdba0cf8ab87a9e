"""Batches over REST, and with a worker that is killed in the middle of one."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.app.running import Person

WITHIN_S = 60


def nodes(count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"n{number}", "type": "image_generation", "position": {"x": number, "y": 0}, "data": {}}
        for number in range(count)
    ]


def ended(person: Person, batch_id: str) -> dict[str, Any]:
    """The batch once nothing of it is under way. Runs have events to wait for; what is imported is asked for."""
    end = time.monotonic() + WITHIN_S
    while True:
        answer = person.http.get(f"/api/batches/{batch_id}")
        assert answer.status_code == 200, answer.text
        batch: dict[str, Any] = answer.json()
        if not batch["live"]:
            return batch
        assert time.monotonic() < end, batch
        if (job_id := batch["live"][0].get("jobId")) is not None:
            assert [*person.watches(f"/api/runs/{job_id}/events")][-1]["event"] == "end"


@pytest.mark.usefixtures("worker")
def test_every_picture_of_a_batch_arrives_on_its_node(person: Person) -> None:
    """BA1, BA4"""
    workflow_id = person.workflow(nodes=nodes(5), edges=[])
    started = person.batches(workflow_id, *(f"n{number}" for number in range(5)), concurrency=2)

    batch = ended(person, started["batchId"])

    assert (batch["status"], batch["kind"], batch["concurrency"]) == ("completed", "runs", 2)
    assert batch["counts"] == {
        "pending": 0,
        "running": 0,
        "completed": 5,
        "skipped": 0,
        "failed": 0,
        "cancelled": 0,
    }
    assert (batch["live"], batch["errors"]) == ([], [])
    assert [item["jobId"] for item in batch["results"]] == [run["jobId"] for run in started["runs"]]
    for index, item in enumerate(batch["results"]):
        node = person.http.get(f"/api/workflows/{workflow_id}/nodes/n{index}").json()
        assert (item["index"], item["nodeId"], item["imageUrl"]) == (index, f"n{index}", node["data"]["imageUrl"])


def test_batch_sent_again_with_its_key_is_the_same_batch(person: Person) -> None:
    """BA1"""
    workflow_id = person.workflow()
    run = {"workflowId": workflow_id, "nodeId": "a", "provider": "local", "promptSpec": {"basePrompt": "x"}}
    headers = {"Idempotency-Key": workflow_id}

    first, again = (person.http.post("/api/runs/batch", json={"runs": [run]}, headers=headers) for _ in range(2))

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert len(person.http.get("/api/runs", params={"workflowId": workflow_id}).json()["items"]) == 1
    assert person.http.post(f"/api/batches/{first.json()['batchId']}/cancel").status_code in {202, 409}


def test_refused_batch_names_each_item(person: Person) -> None:
    """BA1"""
    workflow_id = person.workflow()
    run = {"workflowId": workflow_id, "nodeId": "a", "provider": "local", "promptSpec": {"basePrompt": "x"}}
    wanted = [run, run | {"nodeId": "gone"}, run | {"nodeId": "b", "provider": "openai"}]

    answer = person.http.post("/api/runs/batch", json={"runs": wanted})

    assert answer.status_code == 422
    problem = answer.json()
    assert [(item["index"], item["code"]) for item in problem["items"]] == [(2, "CONFIG_MISSING")]
    answer = person.http.post("/api/runs/batch", json={"runs": wanted[:2]})
    assert [(item["index"], item["code"]) for item in answer.json()["items"]] == [(1, "NOT_FOUND")]
    misfit = person.http.post("/api/runs/batch", json={"runs": [run, run | {"nodeId": 7}]})
    assert misfit.status_code == 422
    assert "runs[1].nodeId" in misfit.json()["detail"]
    assert person.http.get("/api/runs", params={"workflowId": workflow_id}).json()["items"] == []


@pytest.mark.usefixtures("worker")
def test_import_of_a_private_address_is_refused_and_told(person: Person) -> None:
    """BA6, BA9"""
    workflow_id = person.workflow()
    item = {"url": "https://127.0.0.1/fox.png", "designId": 7, "workflowId": workflow_id, "nodeId": "a"}

    answer = person.http.post("/api/renders/import", json={"items": [item]})

    assert answer.status_code == 202
    batch = ended(person, answer.json()["batchId"])
    assert (batch["status"], batch["kind"], batch["concurrency"]) == ("failed", "import", 3)
    (error,) = batch["errors"]
    assert (error["index"], error["code"], error["designId"]) == (0, "DOWNLOAD_BLOCKED", "7")
    assert error["detail"]


def test_import_for_somebody_elses_canvas_is_refused(person: Person, stranger: Person) -> None:
    """BA6"""
    item = {"url": "https://example.com/fox.png", "workflowId": person.workflow()}

    assert stranger.http.post("/api/renders/import", json={"items": [item]}).status_code == 404
    assert person.http.post("/api/renders/import", json={"items": [{"url": "ftp://x/y"}]}).status_code == 422

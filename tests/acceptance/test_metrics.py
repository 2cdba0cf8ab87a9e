"""One scrape of `easel up` tells of server and worker together."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.conftest import RunningEasel


def test_what_the_worker_counted_is_in_the_servers_answer(easel: RunningEasel) -> None:
    with easel.client() as client:
        nodes = [{"id": "a", "position": {"x": 0, "y": 0}, "data": {}}]
        workflow_id = client.post("/api/workflows", json={"name": "Counted", "nodes": nodes}).json()["id"]
        before = processed(client)
        run = {"workflowId": workflow_id, "nodeId": "a", "provider": "local", "promptSpec": {"basePrompt": "a fox"}}
        job_id = client.post("/api/runs", json=run).json()["jobId"]
        with client.stream("GET", f"/api/runs/{job_id}/events") as events:
            assert "event: end" in list(events.iter_lines())

        assert processed(client) == before + 1
        assert client.get("/metrics").headers["content-type"].startswith("text/plain")


def processed(client: httpx.Client) -> float:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "image_processing_total" and sample.labels == {"status": "success"}
    )

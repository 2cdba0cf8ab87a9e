"""Requests made from our own OpenAPI document, and from what it does not allow: no 5xx, nothing it does not say.

`schemathesis` runs as its users run it, with every check it has; what it finds is printed, with how to repeat it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.app.running import ADMIN_TOKEN, Person, Server, Worker

CONFIG = Path(__file__).with_name("schemathesis.toml")
_CASES = re.compile(r"Test cases:\s+([\d,]+) generated")


@pytest.fixture(scope="module")
def own_server(own_environment: dict[str, str]) -> Iterator[Server]:
    running = Server(own_environment)
    worker = Worker(own_environment)
    yield running
    worker.stop()
    assert running.stop(within_s=10) == 0
    assert "Traceback" not in running.text, running.text


@pytest.mark.parametrize(
    ("examples", "least"),
    [
        pytest.param(2, 300, id="a sample", marks=pytest.mark.timeout(120)),
        pytest.param(300, 20_000, id="twenty thousand", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_whatever_is_asked_is_answered_as_the_document_says(
    own_server: Server, own_environment: dict[str, str], tmp_path: Path, examples: int, least: int
) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(f"{parameters(own_server, own_environment)}\n{CONFIG.read_text()}")
    seed = int(os.environ.get("EASEL_TEST_SEED", "20261127"))
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    argv = [*program, f"{own_server.url}/schema/openapi.json", "-H", f"Authorization: Bearer {ADMIN_TOKEN}"]
    argv += ["--checks", "all", "--max-examples", str(examples), "--seed", str(seed), "--no-color"]
    if examples < 10:  # a sample leaves out what dice add to what the document itself suggests
        argv += ["--phases", "examples,coverage,stateful"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)

    print(done.stdout[-20_000:], done.stderr[-2_000:])
    assert done.returncode == 0, f"seed {seed}"
    found = _CASES.search(done.stdout)
    assert found is not None
    assert int(found[1].replace(",", "")) >= least


def parameters(server: Server, environment: dict[str, str]) -> str:
    """Ids of what no generated request can bring about by itself: a run that is done, and what became of it."""
    with closing(Person(server, environment["EASEL_DATABASE_URL"], "generated").http) as http:
        http.headers["Authorization"] = f"Bearer {ADMIN_TOKEN}"
        nodes = [{"id": "a", "position": {"x": 0, "y": 0}, "data": {}}]
        workflow_id = http.post("/api/workflows", json={"name": "Generated", "nodes": nodes}).json()["id"]
        run = {"workflowId": workflow_id, "nodeId": "a", "provider": "local", "promptSpec": {"basePrompt": "a fox"}}
        batch = http.post("/api/runs/batch", json={"runs": [run]}).json()
        job_id = batch["runs"][0]["jobId"]
        with http.stream("GET", f"/api/runs/{job_id}/events") as events:
            assert "event: end" in list(events.iter_lines())
        [render] = http.get("/api/renders", params={"workflowId": workflow_id}).json()["items"]
    ids = {"job_id": job_id, "render_id": render["id"], "batch_id": batch["batchId"]}
    return "\n".join(["[parameters]", *(f'"path.{name}" = "{value}"' for name, value in ids.items())])

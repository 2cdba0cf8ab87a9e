"""Replicate's predictions, held against its own document."""

from __future__ import annotations

import re
from typing import Any

from tests.jobs.providers.sim.documents import document
from tests.jobs.providers.sim.queue import Job, Queue
from tests.jobs.providers.sim.server import Asked, Server, Told, told

REPLICATE = document("replicate.openapi.json")
BAR = " 45%|████▌     | 9/20 [00:02<00:02,  4.41it/s]"


class Replicate:
    """`async with replicate.server`."""

    def __init__(self, key: str) -> None:
        self.server = Server(self.respond)
        self.queue = Queue(self.server)
        self.files: list[bytes] = []
        self.delivery = "https://replicate.delivery"
        self._key = key

    @property
    def base_url(self) -> str:
        return f"{self.server.url}/v1"

    async def respond(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != f"Bearer {self._key}":
            return error(401, f"Invalid token {self._key}")
        path = asked.path.removeprefix("/v1")
        if asked.method == "POST" and path == "/files":
            return self._keep(asked)
        if asked.method == "POST" and path.endswith("/predictions"):
            return self._create(asked, path)
        found = re.fullmatch(r"/predictions/(\w+)(/cancel)?", path)
        job, step = self.queue.look(found[1]) if found else (None, 0)
        if found is None or job is None:
            return error(404, "Not found.")
        if found[2]:
            assert asked.method == "POST"
            job.is_cancelled = True
        return self._prediction(job, step)

    def _create(self, asked: Asked, path: str) -> Told:
        body = asked.json()
        is_version = path == "/predictions"
        REPLICATE.check("schemas_version_prediction_request" if is_version else "schemas_prediction_request", body)
        assert re.fullmatch(r"[0-9]+[smh]?", asked.headers["cancel-after"]), "a deadline is always sent"
        assert "webhook" not in body or body["webhook"].startswith("https://")
        model = (
            body["version"].rpartition(":")[0] if is_version else path.split("/models/")[1].removesuffix("/predictions")
        )
        return self._prediction(self.queue.take(asked, model), 0, 201)

    def _keep(self, asked: Asked) -> Told:
        [part] = [part for part in asked.parts() if part.name == "content"]
        self.files.append(part.content)
        body = {
            "id": "file1",
            "urls": {"get": f"{self.base_url}/files/file1"},
            "content_type": part.content_type,
            "size": len(part.content),
            "checksums": {"sha256": ""},
            "metadata": {},
            "created_at": "2026-11-22T12:00:00Z",
            "expires_at": "2026-11-23T12:00:00Z",
        }
        REPLICATE.check("schemas_file_response", body)
        return told(body, 201)

    def _prediction(self, job: Job, step: int, status: int = 200) -> Told:
        body = prediction(self.base_url, job, ("starting", "processing", "succeeded")[step])
        body |= {1: {"logs": f"Using seed: 7\n{BAR}"}, 2: _ended(job, self.delivery)}.get(step, {})
        if step == self.queue.STEPS:
            body |= job.ending
        if job.is_cancelled:
            body |= {"status": "canceled", "output": None}
        # "hidden" fits both halves of the document's oneOf.
        REPLICATE.check("schemas_prediction_response", {**body, "version": "a version"})
        return told(body, status)


def prediction(base_url: str, job: Job, status: str) -> dict[str, Any]:
    own = f"{base_url}/predictions/{job.id}"
    return {
        "id": job.id,
        "model": job.model,
        "version": "hidden",
        "input": job.asked.json()["input"],
        "logs": "",
        "output": None,
        "error": None,
        "status": status,
        "data_removed": False,
        "created_at": "2026-11-22T12:00:00Z",
        "urls": {"get": own, "cancel": f"{own}/cancel", "web": "https://replicate.com/p/1"},
    }


def _ended(job: Job, delivery: str) -> dict[str, Any]:
    n = job.asked.json()["input"].get("num_outputs", 1)
    return {
        "logs": "Using seed: 7\n100%|██████████| 20/20 [00:04<00:00,  4.41it/s]",
        "output": [f"{delivery}/{job.id}/out-{number}.png" for number in range(n)],
        "completed_at": "2026-11-22T12:00:04Z",
        "metrics": {"predict_time": 3.0, "total_time": 3.4},
    }


def error(status: int, detail: str) -> Told:
    return told({"title": "Refused", "detail": detail, "status": status}, status)

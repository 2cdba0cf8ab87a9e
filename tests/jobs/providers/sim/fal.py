"""fal's queue as its documentation tells it (docs.fal.ai, "Queue"); no OpenAPI document of it was at hand."""

from __future__ import annotations

import re
from typing import Any

from tests.jobs.providers.sim.queue import Job, Queue
from tests.jobs.providers.sim.server import Asked, Server, Told, told


class Fal:
    """`async with fal.server`."""

    def __init__(self, key: str) -> None:
        self.server = Server(self.respond)
        self.queue = Queue(self.server)
        self.place = 2
        self.addresses: dict[str, str] = {}
        """What it gives instead of its own `status_url` and so on."""
        self._key = key

    @property
    def base_url(self) -> str:
        return self.server.url

    async def respond(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != f"Key {self._key}":
            return error(401, f"Cannot authenticate {self._key}")
        found = re.fullmatch(r"/([\w-]+/[\w-]+)/requests/(\w+)(/status|/cancel)?", asked.path)
        if found is None:
            return self._take(asked)
        job = self.queue.jobs.get(found[2])
        if job is None:
            return error(404, "Request not found")
        match asked.method, found[3]:
            case "GET", "/status":
                assert asked.query.get("logs") == "1"
                return self._status(job)
            case "GET", None:
                return _result(job)
            case "PUT", "/cancel":
                is_late = job.looks > 1
                job.is_cancelled = not is_late
                status = "ALREADY_COMPLETED" if is_late else "CANCELLATION_REQUESTED"
                return told({"status": status}, 400 if is_late else 202)
        return error(405, "Method not allowed")

    def _take(self, asked: Asked) -> Told:
        assert asked.method == "POST"
        body = asked.json()
        assert isinstance(body["prompt"], str)
        assert 1 <= body["num_images"] <= 4
        assert int(asked.headers["x-fal-request-timeout"]) > 0
        assert asked.query.keys() <= {"fal_webhook"}
        job = self.queue.take(asked, asked.path.strip("/"))
        own = f"{self.base_url}/{'/'.join(job.model.split('/')[:2])}/requests/{job.id}"
        addresses = {"response_url": own, "status_url": f"{own}/status", "cancel_url": f"{own}/cancel"}
        answer = {
            "status": "IN_QUEUE",
            "request_id": job.id,
            "queue_position": self.place,
            "gateway_request_id": job.id,
        }
        return told({**answer, **addresses, **self.addresses})

    def _status(self, job: Job) -> Told:
        _, step = self.queue.look(job.id)
        if step == 0:
            return told({"status": "IN_QUEUE", "request_id": job.id, "queue_position": self.place}, 202)
        if step == 1:
            log = {
                "message": " 50%|█████     | 14/28 [00:01<00:01]",
                "level": "INFO",
                "timestamp": "2026-11-22T12:00:00Z",
            }
            return told({"status": "IN_PROGRESS", "request_id": job.id, "logs": [log]}, 202)
        failed = {key: job.ending[key] for key in ("error", "error_type") if key in job.ending}
        return told({"status": "COMPLETED", "request_id": job.id, "metrics": {"inference_time": 1.5}, **failed})


def _result(job: Job) -> Told:
    if "detail" in job.ending:
        return told({"detail": job.ending["detail"]}, job.ending.get("http", 422))
    n = job.asked.json()["num_images"]
    size = job.asked.json().get("image_size", {"width": 1024, "height": 1024})
    body: dict[str, Any] = {
        "images": [
            {"url": f"https://v3.fal.media/files/{job.id}/{number}.jpg", "content_type": "image/jpeg", **size}
            for number in range(n)
        ],
        "seed": 7,
        "has_nsfw_concepts": [False] * n,
        "prompt": job.asked.json()["prompt"],
        "timings": {},
    }
    return told({**body, **job.ending}, headers={"x-fal-request-id": job.id})


def error(status: int, message: str) -> Told:
    detail = [{"loc": ["body", "prompt"], "msg": message, "type": "value_error"}] if status == 422 else message
    return told({"detail": detail}, status)


def policy(message: str) -> list[dict[str, Any]]:
    return [{"loc": ["body", "prompt"], "msg": message, "type": "content_policy_violation"}]

"""A server of somebody's own that speaks CONTRACT §4 and §7."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

from tests.jobs.providers.sim.queue import Job, Queue
from tests.jobs.providers.sim.server import Asked, Server, Told, told

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Generic:
    """`async with generic.server`."""

    def __init__(self, secret: bytes | None) -> None:
        self.server = Server(self.respond)
        self.queue = Queue(self.server)
        self.knows_our_ids = True
        self.cancels = True
        self._secret = secret

    @property
    def url(self) -> str:
        return f"{self.server.url}/make"

    async def respond(self, asked: Asked) -> Told:
        if self._secret is not None and not self._is_signed(asked):
            return error(401, "not signed")
        if asked.method == "POST" and asked.path == "/make":
            return self._take(asked)
        job_id, _, what = asked.path.removeprefix("/make/").partition("/")
        job = self.queue.jobs.get(job_id) or self._by_our_id(job_id)
        if job is None or (what and not self.cancels):
            return error(404, "no such job")
        if what:
            assert (asked.method, what) == ("POST", "cancel")
            job.is_cancelled = True
        return told(self._state(job))

    def _is_signed(self, asked: Asked) -> bool:
        event_id, timestamp, signature = (asked.headers.get(name, "") for name in HEADERS)
        if not signature:
            return False
        assert abs(time.time() - int(timestamp)) < 60
        signed = b".".join((event_id.encode(), timestamp.encode(), asked.body))
        expected = base64.b64encode(hmac.new(self._secret or b"", signed, hashlib.sha256).digest()).decode()
        return signature == f"v1,{expected}"

    def _take(self, asked: Asked) -> Told:
        body = asked.json()
        assert body.keys() == {"jobId", "promptSpec", "model", "webhookUrl"}
        assert isinstance(body["promptSpec"]["basePrompt"], str)
        job = self.queue.take(asked, body["model"])
        return told({"job_id": job.id}, 202)

    def _by_our_id(self, job_id: str) -> Job | None:
        if not self.knows_our_ids:
            return None
        return next((job for job in self.queue.jobs.values() if job.asked.json()["jobId"] == job_id), None)

    def _state(self, job: Job) -> dict[str, Any]:
        if job.is_cancelled:
            return {"job_id": job.id, "status": "cancelled"}
        _, step = self.queue.look(job.id)
        if step < self.queue.STEPS:
            return {"job_id": job.id, "status": ("pending", "running")[step], "progress": 40.5 * step}
        n = job.asked.json()["promptSpec"].get("n", 1)
        images = [f"{self.server.url}/out/{job.id}/{number}.png" for number in range(n)]
        return {"job_id": job.id, "status": "completed", "images": images, **job.ending}


def error(status: int, message: str) -> Told:
    return told({"error": {"code": "refused", "message": message}}, status)

"""Midjourney gateways of both shapes: novicezk's (docs/api.md of that repository) and PiAPI's."""

from __future__ import annotations

import re
from typing import Any

from tests.jobs.providers.sim.queue import Job, Queue
from tests.jobs.providers.sim.server import Asked, Server, Told, told


class Midjourney:
    """`async with midjourney.server`. As novicezk's, everything is answered with 200."""

    def __init__(self, secret: str) -> None:
        self.server = Server(self.respond)
        self.queue = Queue(self.server)
        self.code = 1
        """What it says to orders: 1 taken, 22 taken and in line."""
        self._secret = secret

    @property
    def base_url(self) -> str:
        return self.server.url

    async def respond(self, asked: Asked) -> Told:
        if asked.headers.get("mj-api-secret") != self._secret:
            return told({"description": "wrong secret"}, 401)
        if asked.method == "POST" and asked.path == "/mj/submit/imagine":
            body = asked.json()
            assert body.keys() <= {"prompt", "base64Array", "notifyHook", "state"}
            assert re.fullmatch(r"[0-9a-f]{32}", body["state"])
            job = self.queue.take(asked)
            return submitted(self.code, job.id)
        if asked.path == "/mj/task/list":
            return told([self._task(job, 0) for job in self.queue.jobs.values()])
        found = re.fullmatch(r"/mj/task/(\w+)/fetch", asked.path)
        if found is None:
            return told({"description": "no such route"}, 404)
        job_, step = self.queue.look(found[1])
        return Told(b"null") if job_ is None else told(self._task(job_, step))

    def _task(self, job: Job, step: int) -> dict[str, Any]:
        task = {
            "id": job.id,
            "action": "IMAGINE",
            "status": ("SUBMITTED", "IN_PROGRESS", "SUCCESS")[step],
            "prompt": job.asked.json()["prompt"],
            "progress": ("", "45%", "100%")[step],
            "imageUrl": (None, "https://cdn.discordapp.com/half.png", "https://cdn.discordapp.com/grid.png")[step],
            "failReason": None,
            "state": job.asked.json()["state"],
            "properties": {},
        }
        return {**task, **(job.ending if step == self.queue.STEPS else {})}


class PiApi:
    """`async with piapi.server`."""

    def __init__(self, key: str) -> None:
        self.server = Server(self.respond)
        self.queue = Queue(self.server)
        self._key = key

    @property
    def base_url(self) -> str:
        return f"{self.server.url}/api/v1"

    async def respond(self, asked: Asked) -> Told:
        if asked.headers.get("x-api-key") != self._key:
            return told({"code": 401, "message": "invalid key"}, 401)
        if asked.method == "POST" and asked.path == "/api/v1/task":
            body = asked.json()
            assert (body["model"], body["task_type"]) == ("midjourney", "imagine")
            job = self.queue.take(asked)
            return told({"code": 200, "data": {"task_id": job.id, "status": "pending"}, "message": "success"})
        job_, step = self.queue.look(asked.path.removeprefix("/api/v1/task/"))
        if job_ is None:
            return told({"code": 404, "message": "task not found"}, 404)
        done: dict[str, Any] = {"output": {"image_url": "https://cdn.midjourney.com/grid.png", "progress": 100}}
        data: dict[str, Any] = {
            "task_id": job_.id,
            "status": ("pending", "processing", "completed")[step],
            "output": {"progress": 45},
        }
        data |= {**done, **job_.ending} if step == self.queue.STEPS else {}
        return told({"code": 200, "data": data, "message": "success"})


def submitted(code: int, result: str | None = None, description: str = "", **properties: Any) -> Told:
    return told({"code": code, "description": description, "result": result, "properties": properties})

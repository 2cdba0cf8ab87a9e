"""What the simulated vendors share that take orders and carry them in their own time."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.jobs.providers.sim.server import Asked, Fault, Server, Turn


class Job(msgspec.Struct):
    id: str
    asked: Asked
    model: str
    ending: dict[str, Any]
    """How it ends otherwise than well, in the vendor's own fields."""
    looks: int = 0
    is_cancelled: bool = False


class Queue:
    """Each look at a job brings it one step on: waiting, under way, ended."""

    STEPS = 2

    def __init__(self, server: Server) -> None:
        self.jobs: dict[str, Job] = {}
        self._server = server
        self._endings: list[dict[str, Any]] = []

    def ends(self, **ending: Any) -> Fault:
        """A fault for an order: it is taken, and comes to this."""

        async def fault(turn: Turn) -> None:
            self._endings.append(ending)
            await turn.give(await turn.answer())

        return fault

    def take(self, asked: Asked, model: str = "") -> Job:
        self._server.accepted.append(asked)
        job = Job(f"job{len(self.jobs) + 1}", asked, model, self._endings.pop(0) if self._endings else {})
        self.jobs[job.id] = job
        return job

    def look(self, job_id: str) -> tuple[Job | None, int]:
        """The job and how far it is; None for one that there is not."""
        job = self.jobs.get(job_id)
        if job is None:
            return None, 0
        job.looks += 1
        return job, min(job.looks - 1, self.STEPS)

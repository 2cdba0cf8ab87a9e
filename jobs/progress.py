"""From a provider's steps to the screens: the newest one at a bearable pace, a few of them stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import structlog

from canvas.errors import Unavailable
from canvas.relay.port import Relay, RunsHint
from jobs.providers.port import Progress
from jobs.run import Frame, Run

FRAME_EVERY_S = 0.1  # ten steps a second look continuous
STORE_EVERY_S = 0.5  # CONTRACT §6: at most twice a second

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Previews(Protocol):
    async def put(self, job_id: str, picture: bytes) -> None:
        """Newest wins. Never raises: a preview may be lost."""


class Pace(Generic[T]):
    """Hands on the newest value, and at most one per `every_s`; what was overtaken is dropped, the last one never."""

    def __init__(self, every_s: float, deliver: Callable[[T], Awaitable[None]]) -> None:
        self._every_s = every_s
        self._deliver = deliver
        self._newest: list[T] = []
        self._offered = asyncio.Event()

    def offer(self, value: T) -> None:
        self._newest[:] = [value]
        self._offered.set()

    async def run(self) -> None:
        """Until cancelled, or until delivering fails."""
        while True:
            await self._offered.wait()
            self._offered.clear()
            await self._deliver(self._newest[0])
            await asyncio.sleep(self._every_s)


class Reporter:
    """A run's `Report`: give `show.run()` and `store.run()` to the guard of the run."""

    def __init__(
        self, run: Run, relay: Relay, previews: Previews, store: Callable[[Run, Progress], Awaitable[None]]
    ) -> None:
        self._run = run
        self._relay = relay
        self._previews = previews
        self._preview_number = 0

        async def keep(progress: Progress) -> None:
            try:
                await store(run, progress)
            except Unavailable:  # a step is not worth a generation; the heartbeat knows when it is serious
                log.warning("progress.not_stored", percent=progress.percent)

        self.show: Pace[Progress] = Pace(FRAME_EVERY_S, self._show)
        self.store: Pace[Progress] = Pace(STORE_EVERY_S, keep)

    async def __call__(self, progress: Progress) -> None:
        self.show.offer(progress)
        self.store.offer(progress)

    async def _show(self, progress: Progress) -> None:
        if progress.preview is not None:
            self._preview_number += 1
            await self._previews.put(self._run.id, progress.preview)
        frame = Frame(
            job_id=self._run.id,
            node_id=self._run.node_id,
            status="running",
            progress=progress.percent,
            step=progress.step,
            steps=progress.steps,
            message=progress.message,
            # Numbered by us: a preview may come without a step, and its URL must change with it.
            preview_url=f"/api/runs/{self._run.id}/preview?v={self._preview_number}" if self._preview_number else None,
        )
        self._relay.publish(self._run.workflow_id, RunsHint((frame.as_json(),)))

"""A worker that stops: what has been paid for and cannot be asked about later is waited for; the rest is handed on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Drain:
    """Of one worker. `begin` when it is told to stop, `hurry` when it is told again."""

    def __init__(self, seconds: float = 0.0) -> None:
        """`seconds`: how long orders that are being sent may still take."""
        self._seconds = seconds
        self._begun_at: float | None = None
        self._hurried = asyncio.Event()

    def begin(self) -> None:
        if self._begun_at is None:
            self._begun_at = asyncio.get_running_loop().time()

    def hurry(self) -> None:
        self._hurried.set()

    async def whole(self, work: Coroutine[Any, Any, T]) -> T:
        """`work`, which a stop does not break off while there is time; whoever waits for it is cancelled afterwards.

        Any other cancellation reaches it at once.
        """
        task = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            try:
                if self._begun_at is not None and not task.done():
                    await self._wait_for(task)
            finally:  # its person's cancel, or a run that was taken over, may come while it is waited for
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            raise

    async def _wait_for(self, task: asyncio.Future[Any]) -> None:
        assert self._begun_at is not None
        left_s = self._begun_at + self._seconds - asyncio.get_running_loop().time()
        log.info("worker.waits_for_an_order", seconds_at_most=round(max(left_s, 0.0), 1))
        hurried = asyncio.ensure_future(self._hurried.wait())
        try:
            await asyncio.wait({task, hurried}, timeout=max(left_s, 0.0), return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurried.cancel()

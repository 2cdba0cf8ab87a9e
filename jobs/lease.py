"""Work that may go on only while others agree: a body beside its watchers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

CANCEL_AGAIN_S = 0.5


class Guard:
    """The first watcher to fail stops the body, and its error is what comes out. Watchers end with the body.

    A TaskGroup would do the same and wrap the one error that the caller acts on in an ExceptionGroup.
    """

    def __init__(self) -> None:
        self._watchers: list[asyncio.Task[None]] = []
        self._reason: BaseException | None = None
        self._is_over = False

    async def __aenter__(self) -> Self:
        body = asyncio.current_task()
        assert body is not None
        self._body = body
        self._cancels_before = body.cancelling()
        return self

    def beside(self, watcher: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(watcher)
        self._watchers.append(task)
        task.add_done_callback(self._on_watcher_done)

    def _on_watcher_done(self, watcher: asyncio.Task[None]) -> None:
        if watcher.cancelled() or (error := watcher.exception()) is None:
            return
        if self._reason is None and not self._is_over:
            self._reason = error
            self._body.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        while going := [watcher for watcher in self._watchers if not watcher.done()]:
            for watcher in going:
                watcher.cancel()
            # Once is not always enough: a connection that breaks in the same moment is reported in its place.
            await asyncio.wait(going, timeout=CANCEL_AGAIN_S)
        if self._reason is None:
            return
        # Somebody else's cancellation, if there is one besides ours, goes first.
        if self._body.uncancel() <= self._cancels_before and isinstance(error, asyncio.CancelledError):
            raise self._reason from None

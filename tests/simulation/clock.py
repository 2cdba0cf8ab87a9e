"""An asyncio event loop whose time is a number: it jumps to the next timer, and nothing in it waits for the world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Process(Protocol):
    """Whoever owns tasks and can die with them."""

    tasks: set[asyncio.Task[Any]]


RUNNING: ContextVar[Process | None] = ContextVar("running", default=None)
"""The process that the current code belongs to; tasks inherit it from whoever starts them."""


class StuckError(Exception):
    """Nothing is ready and no timer runs: whoever waits now waits for ever."""


class _Instant:
    """Stands where a loop asks its sockets: they are never ready, so time passes instead."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise StuckError
        self.now += timeout
        return []

    def close(self) -> None:
        pass


class VirtualLoop(asyncio.BaseEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._selector = _Instant()
        self.set_task_factory(_owned)

    def time(self) -> float:
        return self._selector.now

    def _process_events(self, _: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _owned(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    context = options.get("context")
    process = RUNNING.get() if context is None else context.get(RUNNING)
    if process is not None:
        process.tasks.add(task)
        task.add_done_callback(process.tasks.discard)
    return task


def run_virtually(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end in virtual time; what it leaves behind is cancelled."""
    loop = VirtualLoop()
    try:
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(main(loop))
        finally:
            left = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        asyncio.set_event_loop(None)
        loop.close()

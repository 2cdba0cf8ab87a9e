"""What happened to runs, in order: stored first, then told. Streams read the store and are only woken by the relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import msgspec

from canvas.errors import NotFound
from canvas.relay.port import EventsHint, Hint, Relay
from jobs.metrics import EVENT_LAG_SECONDS

EventKind = Literal["status", "progress", "log", "error", "webhook"]

PAGE = 500
LOOK_AGAIN_S = 2.0  # a lost hint delays an event by this much


class EventBody(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The wire form (CONTRACT §6)."""

    job_id: str
    timestamp: datetime
    kind: EventKind
    message: str
    progress: int | None = None
    data: dict[str, Any] | None = None


class RunEvent(msgspec.Struct, frozen=True):
    seq: int
    """Its number in the run."""
    workflow_seq: int
    body: EventBody


class EventStore(Protocol):
    async def of_run(self, run_id: str, after: int, limit: int) -> list[RunEvent]: ...

    async def of_workflow(self, workflow_id: str, after: int, limit: int) -> list[RunEvent]: ...

    async def workflow_of(self, run_id: str) -> str | None: ...

    async def is_over(self, run_id: str, after: int) -> bool:
        """Whether the run has ended and has no event after this one."""


class Events:
    def __init__(self, store: EventStore, relay: Relay) -> None:
        self._store = store
        self._relay = relay

    async def list_events(self, run_id: str, after: int = 0, limit: int = PAGE) -> list[RunEvent]:
        return await self._store.of_run(run_id, after, limit)

    async def list_workflow_events(self, workflow_id: str, after: int = 0, limit: int = PAGE) -> list[RunEvent]:
        """`after` counts in the workflow's numbers."""
        return await self._store.of_workflow(workflow_id, after, limit)

    async def is_over(self, run_id: str, after: int) -> bool:
        """True: a stream asked for from `after` would be empty for ever (the route answers 204)."""
        return await self._store.is_over(run_id, after)

    async def follow(self, run_id: str, after: int = 0) -> AsyncGenerator[RunEvent, None]:
        """Stored events after `after`, then live ones, without gap or double; ends after the run's last (JB20).

        Close it (`aclosing`) when the listener leaves: it holds a subscription.
        """
        workflow_id = await self._store.workflow_of(run_id)
        if workflow_id is None:
            raise NotFound("There is no such run.")

        async with self._listening(workflow_id, run_id) as woken:
            is_live = False
            while True:
                woken.clear()
                events = await self._store.of_run(run_id, after, PAGE)
                for event in _timed(events) if is_live else events:
                    yield event
                    after = event.seq
                if len(events) == PAGE:
                    continue
                if await self._store.is_over(run_id, after):
                    return
                is_live = True
                await _wait(woken)

    async def follow_workflow(self, workflow_id: str, after: int = 0) -> AsyncGenerator[RunEvent, None]:
        """The same for all runs of a workflow, numbered in the workflow; has no end of its own."""
        async with self._listening(workflow_id) as woken:
            is_live = False
            while True:
                woken.clear()
                events = await self._store.of_workflow(workflow_id, after, PAGE)
                for event in _timed(events) if is_live else events:
                    yield event
                    after = event.workflow_seq
                if len(events) < PAGE:
                    is_live = True
                    await _wait(woken)

    @asynccontextmanager
    async def _listening(self, workflow_id: str, run_id: str | None = None) -> AsyncIterator[asyncio.Event]:
        """Set whenever events were stored. Enter it before the first read: a commit between the two must wake us."""
        woken = asyncio.Event()

        def hear(hint: Hint) -> None:
            if isinstance(hint, EventsHint) and run_id in {None, hint.run_id}:
                woken.set()

        forget = await self._relay.subscribe(workflow_id, hear)
        try:
            yield woken
        finally:
            forget()


def _timed(events: list[RunEvent]) -> Iterator[RunEvent]:
    for event in events:
        EVENT_LAG_SECONDS.observe(max(0.0, (datetime.now(UTC) - event.body.timestamp).total_seconds()))
        yield event


async def _wait(woken: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_AGAIN_S):
            await woken.wait()

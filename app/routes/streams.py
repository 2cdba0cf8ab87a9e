"""Server-sent events: stored events after where the listener stopped, then live ones (CONTRACT §6)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec
from litestar.response import ServerSentEvent, ServerSentEventMessage

from jobs.events import RunEvent

HEARTBEAT_S = 15.0


def event_stream(events: AsyncIterator[RunEvent], *, in_workflow: bool, stopping: asyncio.Event) -> ServerSentEvent:
    """`in_workflow`: ids count in the workflow, not in the run. A run's stream says `end` after its last event."""
    return ServerSentEvent(
        _messages(events, in_workflow=in_workflow, stopping=stopping),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _messages(
    events: AsyncIterator[RunEvent], *, in_workflow: bool, stopping: asyncio.Event
) -> AsyncIterator[ServerSentEventMessage]:
    stop = asyncio.create_task(stopping.wait())
    coming: asyncio.Task[RunEvent] | None = None
    try:
        yield ServerSentEventMessage(comment="hello")  # headers and first bytes at once, whatever the first event takes
        async with aclosing(events):  # type: ignore[type-var]
            while not stopping.is_set():
                coming = coming or asyncio.create_task(_next(events))
                await asyncio.wait({coming, stop}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    yield ServerSentEventMessage(comment="still here")
                    continue
                try:
                    event = coming.result()
                except StopAsyncIteration:
                    yield ServerSentEventMessage(event="end", data="{}")
                    return
                finally:
                    coming = None
                yield _message(event, in_workflow=in_workflow)
    finally:
        stop.cancel()
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})


async def _next(events: AsyncIterator[RunEvent]) -> RunEvent:
    return await anext(events)


def _message(event: RunEvent, *, in_workflow: bool) -> ServerSentEventMessage:
    number = event.workflow_seq if in_workflow else event.seq
    return ServerSentEventMessage(id=str(number), event=event.body.kind, data=msgspec.json.encode(event.body).decode())


def after_of(last_event_id: str | None, query: str | None) -> int:
    """The number to go on after: the browser's header on a reconnect, else the query. Junk is the beginning."""
    for value in (last_event_id, query):
        if value is not None and value.isascii() and value.isdigit() and len(value) < 19:
            return int(value)
    return 0

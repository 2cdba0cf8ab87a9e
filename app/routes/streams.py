"""Server-sent events: stored events after where the listener stopped, then live ones (CONTRACT §6)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from litestar.response import Stream

from app.auth.callers import Caller
from app.auth.proofs import Proofs
from canvas.errors import Forbidden, NotFound, Unavailable
from canvas.relay.port import AccessHint, DeletedHint, Hint, Relay
from canvas.store.workflows import Workflows
from jobs.events import RunEvent

HEARTBEAT_S = 15.0


class Listener(NamedTuple):
    """Who listens to which workflow. The stream ends when they may not any more."""

    workflows: Workflows
    relay: Relay
    proofs: Proofs
    workflow_id: str
    caller: Caller

    async def may_listen(self) -> bool:
        try:
            await self.workflows.membership(self.workflow_id, self.caller.account_id, "read")
        except (NotFound, Forbidden):
            return False
        except Unavailable:
            return True  # nothing was taken away that we know of; what is told comes from the same database
        return True


def event_stream(
    events: AsyncGenerator[RunEvent, None], listener: Listener, *, in_workflow: bool, stopping: asyncio.Event
) -> Stream:
    """`in_workflow`: ids count in the workflow, not in the run. A run's stream says `end` after its last event."""
    return Stream(
        _messages(events, listener, in_workflow=in_workflow, stopping=stopping),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _messages(
    events: AsyncGenerator[RunEvent, None], listener: Listener, *, in_workflow: bool, stopping: asyncio.Event
) -> AsyncIterator[bytes]:
    # A listener who leaves cancels us wherever we wait, so whoever owns the events is a task of its own.
    queue: asyncio.Queue[RunEvent | None] = asyncio.Queue(maxsize=1)
    pump = asyncio.create_task(_pump(events, queue))
    leaving = {
        asyncio.create_task(stopping.wait()),
        asyncio.create_task(_lose_access(listener)),
        asyncio.create_task(_be_signed_out(listener)),
    }
    coming = asyncio.create_task(queue.get())
    try:
        yield b": hello\n\n"  # headers and first bytes at once, whatever the first event takes
        while True:
            waited = {coming, *leaving, *([] if pump.done() else [pump])}
            await asyncio.wait(waited, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if any(task.done() for task in leaving):
                return
            if coming.done():
                event = coming.result()
                if event is None:
                    yield b"event: end\ndata: {}\n\n"
                    return
                coming = asyncio.create_task(queue.get())
                yield _encoded(event, in_workflow=in_workflow)
            elif isinstance(pump.exception() if pump.done() else None, Unavailable):
                return  # PostgreSQL is away: who listens comes back by itself, after the last event it saw
            elif pump.done():
                pump.result()  # raises why no more events come
            else:
                yield b": still here\n\n"
    finally:
        for task in (pump, coming, *leaving):
            task.cancel()


async def _pump(events: AsyncGenerator[RunEvent, None], queue: asyncio.Queue[RunEvent | None]) -> None:
    """Every event, then None."""
    async with aclosing(events):
        async for event in events:
            await queue.put(event)
    await queue.put(None)


async def _lose_access(listener: Listener) -> None:
    """Returns when the listener may not listen any more. Looks when it is told of a change, and now and then: a hint
    may be lost."""
    changed = asyncio.Event()

    def hear(hint: Hint) -> None:
        if isinstance(hint, AccessHint | DeletedHint):
            changed.set()

    forget = await listener.relay.subscribe(listener.workflow_id, hear)
    try:
        while await listener.may_listen():
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await changed.wait()
            changed.clear()
    finally:
        forget()


async def _be_signed_out(listener: Listener) -> None:
    """Returns when what the listener came with is good no longer."""
    over = asyncio.Event()
    forget = listener.proofs.watch(listener.caller.proof, over.set)
    end = listener.caller.expires_at
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout((end - datetime.now(UTC)).total_seconds() if end else None):
                await over.wait()
    finally:
        forget()


def _encoded(event: RunEvent, *, in_workflow: bool) -> bytes:
    number = event.workflow_seq if in_workflow else event.seq
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (number, event.body.kind.encode(), msgspec.json.encode(event.body))


def after_of(last_event_id: str | None, query: str | None) -> int:
    """The number to go on after: the browser's header on a reconnect, else the query. Junk is the beginning."""
    for value in (last_event_id, query):
        if value is not None and value.isascii() and value.isdigit() and len(value) < 19:
            return int(value)
    return 0

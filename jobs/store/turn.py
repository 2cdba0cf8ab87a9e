"""One transaction under a workflow's row lock, in which a run moves: row, events and node together (JB2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec

from canvas.relay.port import EventsHint, Hint, Relay, RunsHint
from canvas.store.port import Head
from canvas.store.postgres import Connection, Pool, lock_workflow, reaching_the_database, set_on_node
from jobs.events import EventKind
from jobs.metrics import RUN_FAILURES, RUNS
from jobs.run import Frame, NodeChange, Run, RunResult, node_change
from jobs.store.batch_places import fill
from jobs.store.notices import write_notices


class Turn:
    """Use `turn`. Hints gather here and leave after the commit."""

    def __init__(self, connection: Connection, workflow_id: str, head: Head | None) -> None:
        self.connection = connection
        self.workflow_id = workflow_id
        self.in_trash = head is None
        self._head = head
        self.hints: list[Hint] = []
        self.batches: set[str] = set()
        """Those of which a run has ended."""
        self.moved: list[Run] = []
        """Runs that have come into another status, to be counted after the commit."""

    async def append(
        self,
        run_id: str,
        kind: EventKind,
        message: str,
        *,
        progress: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> datetime:
        """Store an event under the next number of its run and of its workflow; answers when it happened."""
        payload: dict[str, Any] = {"message": message}
        if progress is not None:
            payload["progress"] = progress
        if data is not None:
            payload["data"] = data
        text = msgspec.json.encode(payload).decode()
        at: datetime = await self.connection.fetchval(_APPEND, run_id, self.workflow_id, kind, text)
        self.hints.append(EventsHint(run_id))
        return at

    async def set_on_node(self, run: Run, change: NodeChange) -> None:
        await self.write_node(run.node_id, run.account_id, change)

    async def write_node(self, node_id: str, author_id: str, change: NodeChange) -> None:
        """A node that was deleted meanwhile stays deleted, and a document in the trash stays as it is."""
        if self._head is None:
            return
        hint = await set_on_node(
            self.connection,
            self.workflow_id,
            self._head,
            node_id,
            change.values,
            author_id=author_id,
            unset=change.unset,
        )
        if hint is not None:
            self._head = self._head._replace(seq=hint.head)
            self.hints.append(hint)

    async def shows(self, run: Run) -> bool:
        """Whether the run's node is still this run's, and not a later one's."""
        return await self.connection.fetchval(_SHOWN, self.workflow_id, run.node_id, run.id) is True

    async def tell(
        self,
        run: Run,
        message: str,
        *,
        data: dict[str, Any] | None = None,
        results: tuple[RunResult, ...] = (),
        with_node: bool = True,
    ) -> None:
        """A transition's event, its node op and its frame."""
        at = await self.append(
            run.id, "status", message, progress=run.progress, data={"status": run.status, **(data or {})}
        )
        self.moved.append(run)
        if run.batch_id is not None and not run.is_live:
            self.batches.add(run.batch_id)
        if with_node:
            error = run.error.detail if run.error else ""
            change = node_change(run.id, run.status, at, error=error, results=results, made_with=run.made_with)
            await self.set_on_node(run, change)
        self.show(Frame(run.id, run.node_id, run.status, run.progress, message=message))

    def show(self, frame: Frame) -> None:
        self.hints.append(RunsHint((frame.as_json(),)))


@asynccontextmanager
async def turn(database: Pool, relay: Relay, workflow_id: str) -> AsyncIterator[Turn]:
    """Raises Unavailable when PostgreSQL is away. An error in the block rolls it back, and nobody hears of it."""
    async with turns(database, relay, [workflow_id]) as these:
        yield these[workflow_id]


@asynccontextmanager
async def turns(database: Pool, relay: Relay, workflow_ids: Iterable[str]) -> AsyncIterator[dict[str, Turn]]:
    """One transaction under the locks of several workflows, always taken in the same order. Raises as `turn`."""
    these: dict[str, Turn] = {}
    async with reaching_the_database(), database.acquire() as connection, connection.transaction():
        for workflow_id in sorted(set(workflow_ids)):
            these[workflow_id] = Turn(connection, workflow_id, await _lock(connection, workflow_id))
        yield these
        for this in these.values():
            await write_notices(connection, (run for run in this.moved if run.status == "failed"))
        for batch_id in sorted(set().union(*(this.batches for this in these.values()))):
            await fill(connection, batch_id)
    for workflow_id, this in these.items():
        for hint in this.hints:
            relay.publish(workflow_id, hint)
        for run in this.moved:
            _count(run)


def _count(run: Run) -> None:
    RUNS.labels(run.status).inc()
    if run.status == "failed" and run.error is not None:
        RUN_FAILURES.labels(run.request.provider, run.error.code).inc()


async def _lock(connection: Connection, workflow_id: str) -> Head | None:
    head = await lock_workflow(connection, workflow_id)
    if head is None:  # its runs still end in order, so its row is locked all the same
        await connection.execute("SELECT FROM workflows WHERE id = $1 FOR UPDATE", workflow_id)
    return head


_SHOWN = "SELECT node_data ->> 'jobId' = $3 FROM workflow_nodes WHERE workflow_id = $1 AND id = $2"
_APPEND = """
    WITH run AS (UPDATE runs SET event_seq = event_seq + 1 WHERE id = $1 RETURNING event_seq),
    workflow AS (UPDATE workflows SET event_seq = event_seq + 1 WHERE id = $2 RETURNING event_seq)
    INSERT INTO run_events (run_id, seq, workflow_id, workflow_seq, ts, kind, payload)
    SELECT $1, run.event_seq, $2, workflow.event_seq, clock_timestamp(), $3, $4 FROM run, workflow RETURNING ts"""

"""Runs in PostgreSQL. Every method is one transaction; which moves it may make is the table in `jobs.run`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, NamedTuple

import asyncpg
import msgspec

from canvas.errors import Conflict, NotFound
from canvas.ids import new_id
from canvas.relay.port import CancelHint, Relay
from canvas.store.postgres import Pool, reaching_the_database
from jobs.errors import LeaseLost
from jobs.providers.port import Progress
from jobs.renders import KeptPicture
from jobs.run import (
    TRANSITIONS,
    Failure,
    Frame,
    Payload,
    PictureUrl,
    Run,
    StartImageJobRequest,
    Status,
    node_change,
)
from jobs.store.renders import insert_pictures
from jobs.store.turn import Turn, turn

QUEUE = "runs"
NO_SUCH_NODE = "There is no such node on this workflow. Add it before you run it."

_request = msgspec.json.Decoder(StartImageJobRequest)
_payload = msgspec.json.Decoder(Payload)
_failure = msgspec.json.Decoder(Failure)


class Claim(NamedTuple):
    run: Run
    """Its `fence` is the claimer's: every later write of it carries that number."""
    account_name: str
    is_takeover: bool


class RunStore:
    def __init__(self, database: Pool, relay: Relay, picture_url: PictureUrl) -> None:
        self._database = database
        self._relay = relay
        self._picture_url = picture_url

    # What people do

    async def start(self, request: StartImageJobRequest, model: str, account_id: str, payload: Payload) -> Run:
        """JB3. Raises NotFound for the workflow or the node, Conflict RUN_LIVE when the node has a live run."""
        async with turn(self._database, self._relay, request.workflow_id) as this:
            if this.in_trash:
                raise NotFound("There is no such workflow.")
            if not await this.connection.fetchval(_HAS_NODE, request.workflow_id, request.node_id):
                raise NotFound(NO_SUCH_NODE)
            await self._make_room(this, request)
            row = await this.connection.fetchrow(
                _INSERT,
                new_id("run"),
                request.workflow_id,
                request.node_id,
                account_id,
                request.provider,
                model,
                _json(request),
                _json(payload),
            )
            run = _run(row)
            await _tell(this, run, "Waiting for a worker")
            await this.connection.execute(_RING, [run.id], QUEUE)
            return run

    async def _make_room(self, this: Turn, request: StartImageJobRequest) -> None:
        row = await this.connection.fetchrow(_LIVE_ON_NODE, request.workflow_id, request.node_id)
        if row is None:
            return
        if not request.replace:
            raise Conflict(
                "This node already has a run. Wait for it, cancel it, or send replace: true.",
                code="RUN_LIVE",
                jobId=row["id"],
            )
        # The new run writes the node in the same transaction, so this one leaves it alone.
        await self._cancel_now(this, _run(row), "Replaced by a new run", with_node=False)

    async def cancel(self, run_id: str) -> Run:
        """JB9. Raises NotFound, or Conflict INVALID_STATE for a run that has ended."""
        workflow_id = await self._workflow_of(run_id)
        async with turn(self._database, self._relay, workflow_id) as this:
            run = await self._locked(this, run_id)
            if not run.is_live:
                raise Conflict(f"This run has already ended: it is {run.status}.", code="INVALID_STATE")
            if run.status == "pending":
                return await self._cancel_now(this, run, "Cancelled")
            if not run.cancel_requested:
                await this.connection.execute("UPDATE runs SET cancel_requested = true WHERE id = $1", run_id)
                await this.append(run_id, "log", "Cancel requested")
            this.hints.append(CancelHint(run_id))
        return await self.get(run_id)

    async def cancel_live(self, workflow_id: str) -> int:
        """End every live run of a workflow that goes to the trash; answers how many."""
        async with turn(self._database, self._relay, workflow_id) as this:
            rows = await this.connection.fetch(_LIVE_OF_WORKFLOW + " FOR UPDATE", workflow_id)
            for row in rows:
                await self._cancel_now(this, _run(row), "Cancelled with its workflow")
        return len(rows)

    async def _cancel_now(self, this: Turn, run: Run, message: str, *, with_node: bool = True) -> Run:
        """Without asking the worker: the fence moves on, so whatever it still writes is refused (JB5)."""
        row = await this.connection.fetchrow(_CANCEL, run.id)
        cancelled = _run(row)
        await _tell(this, cancelled, message, with_node=with_node)
        this.hints.append(CancelHint(run.id))
        return cancelled

    # What a worker does

    async def claim(self, run_id: str, worker: str, lease_s: float) -> Claim | None:
        """JB4. None: it runs elsewhere, has ended, or is unknown; the bell was rung twice and that is fine."""
        async with reaching_the_database():
            workflow_id: str | None = await self._database.fetchval("SELECT subject_id FROM runs WHERE id = $1", run_id)
        if workflow_id is None:
            return None
        async with turn(self._database, self._relay, workflow_id) as this:
            row = await this.connection.fetchrow(_CLAIM, run_id, worker, timedelta(seconds=lease_s))
            if row is None:
                return None
            run = _run(row)
            # A first claim raises `attempt`; a takeover goes on with the attempt that is under way.
            is_takeover = row["was_running"]
            if is_takeover:
                await this.append(run_id, "log", "Taken over by another worker", data={"fence": run.fence})
            else:
                await _tell(this, run, "Started", data={"attempt": run.attempt})
            return Claim(run, row["account_name"], is_takeover)

    async def heartbeat(self, run: Run, lease_s: float) -> bool:
        """Hold the lease for another `lease_s`; answers whether somebody wants the run cancelled. Raises LeaseLost."""
        async with reaching_the_database():
            row = await self._database.fetchrow(_HEARTBEAT, run.id, run.fence, timedelta(seconds=lease_s))
        if row is None:
            raise LeaseLost
        wanted: bool = row["cancel_requested"]
        return wanted

    async def keep_progress(self, run: Run, progress: Progress) -> None:
        """Raises LeaseLost."""
        percent = max(0, min(100, progress.percent))
        async with turn(self._database, self._relay, run.workflow_id) as this:
            if await this.connection.fetchval(_PROGRESS, run.id, run.fence, percent) is None:
                raise LeaseLost
            data = {key: value for key in ("step", "steps") if (value := getattr(progress, key)) is not None}
            await this.append(run.id, "progress", progress.message, progress=percent, data=data or None)

    async def note(self, run: Run, message: str, data: dict[str, Any] | None = None) -> None:
        """A `log` event. Raises LeaseLost."""
        async with turn(self._database, self._relay, run.workflow_id) as this:
            if await this.connection.fetchval(_HELD, run.id, run.fence) is None:
                raise LeaseLost
            await this.append(run.id, "log", message, data=data)

    async def complete(self, run: Run, pictures: list[KeptPicture]) -> None:
        """JB8. The pictures' rows, the run's end and the node in one transaction. Raises LeaseLost."""
        payload = msgspec.structs.replace(run.payload, images=tuple(picture.original.key for picture in pictures))
        async with turn(self._database, self._relay, run.workflow_id) as this:
            ended = await self._end(this, run, "completed", payload=payload)
            await insert_pictures(this.connection, run, pictures)
            urls = {
                "image_url": self._picture_url(pictures[0].original.key),
                "thumbnail_url": self._picture_url(pictures[0].variants["thumbnail"].key),
            }
            images = [self._picture_url(key) for key in payload.images]
            data = {"imageUrl": urls["image_url"], "thumbnailUrl": urls["thumbnail_url"], "images": images}
            await _tell(this, ended, "Done", data=data, urls=urls)

    async def fail(self, run: Run, failure: Failure) -> None:
        """Raises LeaseLost."""
        async with turn(self._database, self._relay, run.workflow_id) as this:
            ended = await self._end(this, run, "failed", failure=failure)
            facts = {"code": failure.code, "retryable": failure.retryable, "charged": failure.charged}
            await this.append(run.id, "error", failure.detail, data=facts)
            await _tell(this, ended, failure.detail, data={"code": failure.code})

    async def end_cancelled(self, run: Run) -> None:
        """Raises LeaseLost."""
        async with turn(self._database, self._relay, run.workflow_id) as this:
            await _tell(this, await self._end(this, run, "cancelled"), "Cancelled")

    async def release(self, run: Run) -> None:
        """Give the lease back unfinished and ring again, so that another worker need not wait for it to run out."""
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            if await connection.fetchval(_RELEASE, run.id, run.fence) is not None:
                await connection.execute(_RING, [run.id], QUEUE)

    async def _end(
        self,
        this: Turn,
        run: Run,
        status: Literal["completed", "failed", "cancelled"],
        *,
        payload: Payload | None = None,
        failure: Failure | None = None,
    ) -> Run:
        assert status in TRANSITIONS["running"]
        row = await this.connection.fetchrow(
            _END, run.id, run.fence, status, _json(payload or run.payload), _json(failure) if failure else None
        )
        if row is None:
            raise LeaseLost
        return _run(row)

    # Reading

    async def get(self, run_id: str) -> Run:
        async with reaching_the_database():
            row = await self._database.fetchrow("SELECT * FROM runs WHERE id = $1", run_id)
        if row is None:
            raise NotFound("There is no such run.")
        return _run(row)

    async def live(self, workflow_id: str) -> list[Run]:
        """What is under way on a workflow, oldest first."""
        async with reaching_the_database():
            return [_run(row) for row in await self._database.fetch(_LIVE_OF_WORKFLOW, workflow_id)]

    async def visible_to(
        self,
        account_id: str,
        *,
        workflow_id: str | None,
        node_id: str | None,
        status: Status | None,
        provider: str | None,
        before: tuple[Any, str] | None,
        limit: int,
    ) -> list[Run]:
        """Runs of the workflows where the account is a member, newest first."""
        at, id_ = before or (None, None)
        async with reaching_the_database():
            rows = await self._database.fetch(
                _VISIBLE, account_id, workflow_id, node_id, status, provider, at, id_, limit
            )
        return [_run(row) for row in rows]

    async def _workflow_of(self, run_id: str) -> str:
        return (await self.get(run_id)).workflow_id

    async def _locked(self, this: Turn, run_id: str) -> Run:
        row = await this.connection.fetchrow("SELECT * FROM runs WHERE id = $1 FOR UPDATE", run_id)
        assert row is not None  # a run goes only with its workflow, whose row we hold
        return _run(row)


async def _tell(
    this: Turn,
    run: Run,
    message: str,
    *,
    data: dict[str, Any] | None = None,
    urls: dict[str, str] | None = None,
    with_node: bool = True,
) -> None:
    """A transition's event, its node op and its frame."""
    at = await this.append(
        run.id, "status", message, progress=run.progress, data={"status": run.status, **(data or {})}
    )
    if with_node:
        error = run.error.detail if run.error else ""
        await this.set_on_node(run, node_change(run.id, run.status, at, error=error, **(urls or {})))
    this.show(Frame(run.id, run.node_id, run.status, run.progress, message=message))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _run(row: asyncpg.Record | None) -> Run:
    assert row is not None
    return Run(
        id=row["id"],
        workflow_id=row["subject_id"],
        node_id=row["node_id"],
        account_id=row["account_id"],
        status=row["status"],
        request=_request.decode(row["request"]),
        payload=_payload.decode(row["payload"]),
        model=row["model"],
        attempt=row["attempt"],
        fence=row["fence"],
        cancel_requested=row["cancel_requested"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        progress=row["progress"],
        error=_failure.decode(row["error"]) if row["error"] else None,
    )


# Queries

_HAS_NODE = "SELECT true FROM workflow_nodes WHERE workflow_id = $1 AND id = $2"
_INSERT = """
    INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, payload)
    VALUES ($1, $2, $3, $4, 'pending', $5, $5, $6, $7, $8) RETURNING *"""
_RING = "INSERT INTO outbox (run_id, doorbell) SELECT unnest($1::text[]), $2"
_LIVE_ON_NODE = """
    SELECT * FROM runs WHERE subject_id = $1 AND node_id = $2 AND status IN ('pending', 'running') FOR UPDATE"""
_LIVE_OF_WORKFLOW = """
    SELECT * FROM runs WHERE subject_id = $1 AND status IN ('pending', 'running') ORDER BY started_at, id"""
_CANCEL = """
    UPDATE runs SET status = 'cancelled', fence = fence + 1, lease_until = NULL, finished_at = clock_timestamp()
    WHERE id = $1 RETURNING *"""
# clock_timestamp() and not now(): the transaction may have waited for the workflow's lock.
_CLAIM = """
    WITH free AS (
      SELECT id, status = 'running' AS was_running FROM runs WHERE id = $1 AND (
        (status = 'pending' AND run_after <= clock_timestamp())
        OR (status = 'running' AND lease_until < clock_timestamp())) FOR UPDATE)
    UPDATE runs SET status = 'running', fence = fence + 1, worker = $2, lease_until = clock_timestamp() + $3::interval,
      attempt = attempt + (NOT free.was_running)::int, progress = coalesce(progress, 0)
    FROM free, accounts WHERE runs.id = free.id AND accounts.id = runs.account_id
    RETURNING runs.*, free.was_running, accounts.name AS account_name"""
_HEARTBEAT = """
    UPDATE runs SET lease_until = clock_timestamp() + $3::interval
    WHERE id = $1 AND fence = $2 AND status = 'running' RETURNING cancel_requested"""
_PROGRESS = "UPDATE runs SET progress = $3 WHERE id = $1 AND fence = $2 AND status = 'running' RETURNING true"
_HELD = "SELECT true FROM runs WHERE id = $1 AND fence = $2 AND status = 'running' FOR UPDATE"
_RELEASE = """
    UPDATE runs SET lease_until = clock_timestamp()
    WHERE id = $1 AND fence = $2 AND status = 'running' RETURNING true"""
_END = """
    UPDATE runs SET status = $3, payload = $4, error = $5, lease_until = NULL, finished_at = clock_timestamp(),
      progress = CASE WHEN $3 = 'completed' THEN 100 ELSE progress END
    WHERE id = $1 AND fence = $2 AND status = 'running' RETURNING *"""
# One short walk down an index per workflow, so that the cost grows with the page and not with the table.
_VISIBLE = """
    SELECT runs.* FROM members CROSS JOIN LATERAL (
      SELECT * FROM runs WHERE subject_id = members.workflow_id
      AND ($3::text IS NULL OR node_id = $3) AND ($4::text IS NULL OR status = $4)
      AND ($5::text IS NULL OR provider = $5)
      AND ($6::timestamptz IS NULL OR (started_at, id) < ($6, $7::text))
      ORDER BY started_at DESC, id DESC LIMIT $8) AS runs
    WHERE members.account_id = $1 AND ($2::text IS NULL OR members.workflow_id = $2)
    ORDER BY runs.started_at DESC, runs.id DESC LIMIT $8"""

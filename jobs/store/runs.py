"""Runs in PostgreSQL. Every method is one transaction; which moves it may make is the table in `jobs.run`."""

from __future__ import annotations

from typing import Any

from canvas.errors import Conflict, NotFound
from canvas.ids import new_id
from canvas.relay.port import CancelHint, Relay
from canvas.store.postgres import Pool, reaching_the_database
from jobs.providers.port import Plan
from jobs.run import Payload, Run, StartImageJobRequest, Status
from jobs.store.costs import COST, check_budget
from jobs.store.rows import json_of, run_of
from jobs.store.turn import Turn, turn

QUEUE = "runs"
NO_SUCH_NODE = "There is no such node on this workflow. Add it before you run it."


class RunStore:
    def __init__(self, database: Pool, relay: Relay, budget_usd: float | None = None) -> None:
        """`budget_usd`: what one account may spend in a day (UTC)."""
        self._database = database
        self._relay = relay
        self._budget_usd = budget_usd

    # What people do

    async def start(
        self, request: StartImageJobRequest, model: str, account_id: str, payload: Payload, plan: Plan
    ) -> Run:
        """JB3. Raises NotFound for the workflow or the node, Conflict RUN_LIVE when the node has a live run.

        Raises BudgetExceeded when the account's day has no room for what the plan estimates.
        """
        async with turn(self._database, self._relay, request.workflow_id) as this:
            if this.in_trash:
                raise NotFound("There is no such workflow.")
            if not await this.connection.fetchval(_HAS_NODE, request.workflow_id, request.node_id):
                raise NotFound(NO_SUCH_NODE)
            await self._make_room(this, request)
            if self._budget_usd is not None:
                await check_budget(this.connection, account_id, plan.estimate_usd, self._budget_usd)
            row = await this.connection.fetchrow(
                _INSERT,
                new_id("run"),
                request.workflow_id,
                request.node_id,
                account_id,
                request.provider,
                model,
                json_of(request),
                json_of(payload),
                plan.estimate_usd,
            )
            run = run_of(row)
            await this.tell(run, "Waiting for a worker")
            for adjustment in plan.adjustments:
                await this.append(run.id, "log", adjustment, data={"code": "ADJUSTED"})
            if payload.replays is not None:
                await this.connection.execute(_REPLAYED, payload.replays, run.id)
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
        await self._cancel_now(this, run_of(row), "Replaced by a new run", with_node=False)

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
                await self._cancel_now(this, run_of(row), "Cancelled with its workflow")
        return len(rows)

    async def _cancel_now(self, this: Turn, run: Run, message: str, *, with_node: bool = True) -> Run:
        """Without asking the worker: the fence moves on, so whatever it still writes is refused (JB5)."""
        row = await this.connection.fetchrow(_CANCEL, run.id)
        cancelled = run_of(row)
        await this.tell(cancelled, message, with_node=with_node)
        this.hints.append(CancelHint(run.id))
        return cancelled

    # Reading

    async def get(self, run_id: str) -> Run:
        async with reaching_the_database():
            row = await self._database.fetchrow("SELECT * FROM runs WHERE id = $1", run_id)
        if row is None:
            raise NotFound("There is no such run.")
        return run_of(row)

    async def live(self, workflow_id: str) -> list[Run]:
        """What is under way on a workflow, oldest first."""
        async with reaching_the_database():
            return [run_of(row) for row in await self._database.fetch(_LIVE_OF_WORKFLOW, workflow_id)]

    async def visible_to(
        self,
        account_id: str,
        *,
        workflow_id: str | None,
        node_id: str | None,
        status: Status | None,
        provider: str | None,
        dead: bool | None = None,
        before: tuple[Any, str] | None,
        limit: int,
    ) -> list[Run]:
        """Runs of the workflows where the account is a member, newest first."""
        at, id_ = before or (None, None)
        async with reaching_the_database():
            rows = await self._database.fetch(
                _VISIBLE, account_id, workflow_id, node_id, status, provider, at, id_, limit, dead
            )
        return [run_of(row) for row in rows]

    async def dead(self, limit: int) -> list[Run]:
        """Failed runs whose attempts are used up, or whose outcome nobody knows, of everybody; newest first."""
        async with reaching_the_database():
            return [run_of(row) for row in await self._database.fetch(_DEAD, limit)]

    async def _workflow_of(self, run_id: str) -> str:
        return (await self.get(run_id)).workflow_id

    async def _locked(self, this: Turn, run_id: str) -> Run:
        row = await this.connection.fetchrow("SELECT * FROM runs WHERE id = $1 FOR UPDATE", run_id)
        assert row is not None  # a run goes only with its workflow, whose row we hold
        return run_of(row)


# Queries

_HAS_NODE = "SELECT true FROM workflow_nodes WHERE workflow_id = $1 AND id = $2"
_INSERT = """
    INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, payload,
      estimate_usd) VALUES ($1, $2, $3, $4, 'pending', $5, $5, $6, $7, $8, $9) RETURNING *"""
_REPLAYED = "UPDATE runs SET replayed_as = $2, is_dead = false WHERE id = $1"
_RING = "INSERT INTO outbox (run_id, doorbell) SELECT unnest($1::text[]), $2"
_LIVE_ON_NODE = """
    SELECT * FROM runs WHERE subject_id = $1 AND node_id = $2 AND status IN ('pending', 'running') FOR UPDATE"""
_LIVE_OF_WORKFLOW = """
    SELECT * FROM runs WHERE subject_id = $1 AND status IN ('pending', 'running') ORDER BY started_at, id"""
_CANCEL = f"""
    UPDATE runs SET status = 'cancelled', fence = fence + 1, lease_until = NULL, finished_at = clock_timestamp(), {COST}
    WHERE id = $1 RETURNING *"""
_DEAD = "SELECT * FROM runs WHERE is_dead ORDER BY started_at DESC, id DESC LIMIT $1"
# One short walk down an index per workflow, so that the cost grows with the page and not with the table.
_VISIBLE = """
    SELECT runs.* FROM workflow_roles AS mine CROSS JOIN LATERAL (
      SELECT * FROM runs WHERE subject_id = mine.workflow_id
      AND ($3::text IS NULL OR node_id = $3) AND ($4::text IS NULL OR status = $4)
      AND ($5::text IS NULL OR provider = $5) AND ($9::boolean IS NULL OR is_dead = $9)
      AND ($6::timestamptz IS NULL OR (started_at, id) < ($6, $7::text))
      ORDER BY started_at DESC, id DESC LIMIT $8) AS runs
    WHERE mine.account_id = $1 AND ($2::text IS NULL OR mine.workflow_id = $2)
    ORDER BY runs.started_at DESC, runs.id DESC LIMIT $8"""

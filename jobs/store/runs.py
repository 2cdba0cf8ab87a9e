"""Runs in PostgreSQL. Every method is one transaction; which moves it may make is the table in `jobs.run`."""

from __future__ import annotations

from typing import NamedTuple

from canvas.errors import Conflict, EaselError, NotFound
from canvas.ids import new_id
from canvas.relay.port import CancelHint, Relay
from canvas.store.postgres import Pool, reaching_the_database
from jobs.errors import PriceUnknown
from jobs.providers.port import Plan
from jobs.run import Payload, Run, StartImageJobRequest
from jobs.store import run_lists
from jobs.store.batch_places import QUEUE, fill
from jobs.store.costs import COST, check_budget
from jobs.store.quotas import Limits, Payer, check_quotas, payer_of
from jobs.store.rows import json_of, run_of
from jobs.store.run_lists import Wanted
from jobs.store.turn import Turn, turn, turns

NO_SUCH_NODE = "There is no such node on this workflow. Add it before you run it."
WAITS_FOR_PLACE = "In line in its batch"


class NewRun(NamedTuple):
    """What is checked and ready to be stored."""

    request: StartImageJobRequest
    model: str
    account_id: str
    payload: Payload
    plan: Plan


class Place(NamedTuple):
    """A run's in its batch."""

    batch_id: str
    number: int
    has_to_wait: bool


class Refused(Exception):
    """Some of a batch cannot be started: why, by their places in it."""

    def __init__(self, reasons: dict[int, EaselError]) -> None:
        super().__init__()
        self.reasons = reasons


class RunStore:
    def __init__(self, database: Pool, relay: Relay, limits: Limits | None = None) -> None:
        self._database = database
        self._relay = relay
        self._limits = limits or Limits()

    # What people do

    async def start(self, new: NewRun) -> Run:
        """JB3. Raises NotFound for the workflow or the node, Conflict RUN_LIVE when the node has a live run.

        Raises QuotaExceeded, BudgetExceeded and PriceUnknown as whoever pays has no room for it.
        """
        async with turn(self._database, self._relay, new.request.workflow_id) as this:
            await self._make_room(this, await self._in_the_way(this, new.request))
            (payer_id,) = await self._reserve(this, [new])
            return await self._start(this, new, payer_id)

    async def start_batch(self, news: list[NewRun], concurrency: int) -> tuple[str, list[Run]]:
        """BA1, BA2. All of one account's, each for another node; all or, on Refused and BudgetExceeded, none."""
        account_id, batch_id = news[0].account_id, new_id("batch")
        async with turns(self._database, self._relay, (new.request.workflow_id for new in news)) as these:
            in_the_way: list[Run | None] = []
            reasons: dict[int, EaselError] = {}
            for number, new in enumerate(news):
                try:
                    in_the_way.append(await self._in_the_way(these[new.request.workflow_id], new.request))
                except EaselError as error:
                    reasons[number] = error
            if reasons:
                raise Refused(reasons)
            for new, live in zip(news, in_the_way, strict=True):
                await self._make_room(these[new.request.workflow_id], live)
            this = these[news[0].request.workflow_id]
            payer_ids = await self._reserve(this, news)
            await this.connection.execute(_INSERT_BATCH, batch_id, account_id, concurrency, len(news))
            runs = []
            for number, (new, payer_id) in enumerate(zip(news, payer_ids, strict=True)):
                place = Place(batch_id, number, number >= concurrency)
                runs.append(await self._start(these[new.request.workflow_id], new, payer_id, place))
        return batch_id, runs

    async def _reserve(self, this: Turn, news: list[NewRun]) -> list[str]:
        """Who pays for each. Raises QuotaExceeded, BudgetExceeded, PriceUnknown."""
        payers: dict[str, Payer] = {}
        for new in news:
            workflow_id = new.request.workflow_id
            if workflow_id not in payers:
                payers[workflow_id] = await payer_of(this.connection, new.account_id, workflow_id, self._limits)
        for payer in sorted(
            {payer.id: payer for payer in payers.values()}.values(), key=lambda one: one.id
        ):  # locks are taken in one order
            theirs = [new for new in news if payers[new.request.workflow_id].id == payer.id]
            await check_quotas(this.connection, payer, len(theirs))
            if payer.limits.budget_usd is not None:
                total_usd = sum(_priced(new, payer.limits.budget_usd, self._estimate_usd(new)) for new in theirs)
                await check_budget(this.connection, payer.id, total_usd, payer.limits.budget_usd)
        return [payers[new.request.workflow_id].id for new in news]

    def _estimate_usd(self, new: NewRun) -> float | None:
        return self._limits.estimate_usd(new.plan.estimate_usd, new.request.prompt_spec.n)

    async def _start(self, this: Turn, new: NewRun, payer_id: str, place: Place | None = None) -> Run:
        request, plan = new.request, new.plan
        has_to_wait = place is not None and place.has_to_wait
        row = await this.connection.fetchrow(
            _INSERT,
            new_id("run"),
            request.workflow_id,
            request.node_id,
            new.account_id,
            request.provider,
            new.model,
            json_of(request),
            json_of(new.payload),
            self._estimate_usd(new),
            place.batch_id if place else None,
            place.number if place else None,
            WAITS_FOR_PLACE if has_to_wait else None,
            payer_id if payer_id != new.account_id else None,
        )
        run = run_of(row)
        await this.tell(run, WAITS_FOR_PLACE if has_to_wait else "Waiting for a worker")
        for adjustment in plan.adjustments:
            await this.append(run.id, "log", adjustment, data={"code": "ADJUSTED"})
        if new.payload.replays is not None:
            await this.connection.execute(_REPLAYED, new.payload.replays, run.id)
        if not has_to_wait:
            await this.connection.execute(_RING, [run.id], QUEUE)
        return run

    async def _in_the_way(self, this: Turn, request: StartImageJobRequest) -> Run | None:
        """The node's live run, which is to be replaced. Raises NotFound, Conflict."""
        if this.in_trash:
            raise NotFound("There is no such workflow.")
        if not await this.connection.fetchval(_HAS_NODE, request.workflow_id, request.node_id):
            raise NotFound(NO_SUCH_NODE)
        row = await this.connection.fetchrow(_LIVE_ON_NODE, request.workflow_id, request.node_id)
        if row is not None and not request.replace:
            raise Conflict(
                "This node already has a run. Wait for it, cancel it, or send replace: true.",
                code="RUN_LIVE",
                jobId=row["id"],
            )
        return run_of(row) if row is not None else None

    async def _make_room(self, this: Turn, live: Run | None) -> None:
        # The new run writes the node in the same transaction, so this one leaves it alone.
        if live is not None:
            await self._cancel_now(this, live, "Replaced by a new run", with_node=False)

    async def cancel(self, run_id: str) -> Run:
        """JB9. Raises NotFound, or Conflict INVALID_STATE for a run that has ended."""
        workflow_id = await self._workflow_of(run_id)
        async with turn(self._database, self._relay, workflow_id) as this:
            run = await self._locked(this, run_id)
            if not run.is_live:
                raise Conflict(f"This run has already ended: it is {run.status}.", code="INVALID_STATE")
            if run.status == "pending":
                return await self._cancel_now(this, run, "Cancelled")
            await self._ask_to_cancel(this, run)
        return await self.get(run_id)

    async def cancel_batch(self, batch_id: str) -> bool:
        """BA5. What waits ends at once, what runs is asked to, nothing more starts; whether there was anything."""
        async with reaching_the_database():
            workflow_ids = [row["subject_id"] for row in await self._database.fetch(_WORKFLOWS_OF_BATCH, batch_id)]
        async with turns(self._database, self._relay, workflow_ids) as these:
            for this in these.values():
                await this.connection.execute(_CANCEL_BATCH, batch_id)
                for row in await this.connection.fetch(_LIVE_OF_BATCH, batch_id, this.workflow_id):
                    run = run_of(row)
                    if run.status == "pending":
                        await self._cancel_now(this, run, "Cancelled with its batch")
                    else:
                        await self._ask_to_cancel(this, run)
        return bool(workflow_ids)

    async def fill_batches(self) -> int:
        """Places that stayed empty, and batches whose runs went with their workflow; answers how many batches (BA2)."""
        async with reaching_the_database():
            rows = await self._database.fetch(_UNFILLED)
        for row in rows:
            async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
                await fill(connection, row["id"])
        return len(rows)

    async def _ask_to_cancel(self, this: Turn, run: Run) -> None:
        if not run.cancel_requested:
            await this.connection.execute("UPDATE runs SET cancel_requested = true WHERE id = $1", run.id)
            await this.append(run.id, "log", "Cancel requested")
        this.hints.append(CancelHint(run.id))

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

    async def visible_to(self, account_id: str, wanted: Wanted, limit: int) -> list[Run]:
        return await run_lists.visible_to(self._database, account_id, wanted, limit)

    async def dead(self, limit: int) -> list[Run]:
        """Failed runs whose attempts are used up, or whose outcome nobody knows, of everybody; newest first."""
        async with reaching_the_database():
            return [run_of(row) for row in await self._database.fetch(_DEAD, limit)]

    async def is_dead(self, run_id: str) -> bool:
        """Whether it is on that list. Raises NotFound."""
        async with reaching_the_database():
            found: bool | None = await self._database.fetchval("SELECT is_dead FROM runs WHERE id = $1", run_id)
        if found is None:
            raise NotFound("There is no such run.")
        return found

    async def dismiss(self, run_id: str) -> Run:
        """Off the list of the dead without a second chance. Raises NotFound, Conflict INVALID_STATE."""
        async with reaching_the_database():
            row = await self._database.fetchrow(_DISMISS, run_id)
        if row is None:
            run = await self.get(run_id)
            raise Conflict(f"This run is not on the list of the dead: it is {run.status}.", code="INVALID_STATE")
        return run_of(row)

    async def dismiss_all(self) -> int:
        """Of everybody; answers how many."""
        async with reaching_the_database():
            return len(await self._database.fetch(_DISMISS_ALL))

    async def _workflow_of(self, run_id: str) -> str:
        return (await self.get(run_id)).workflow_id

    async def _locked(self, this: Turn, run_id: str) -> Run:
        row = await this.connection.fetchrow("SELECT * FROM runs WHERE id = $1 FOR UPDATE", run_id)
        assert row is not None  # a run goes only with its workflow, whose row we hold
        return run_of(row)


def _priced(new: NewRun, budget_usd: float, estimate_usd: float | None) -> float:
    if estimate_usd is None:
        raise PriceUnknown(
            f"Nobody knows what a picture of {new.request.provider} {new.model} costs, "
            f"so it cannot be held against the budget of ${budget_usd:.2f} a day. "
            "Take a model with a known price, or have EASEL_ASSUMED_PRICE_USD set."
        )
    return estimate_usd


# Queries

_HAS_NODE = "SELECT true FROM workflow_nodes WHERE workflow_id = $1 AND id = $2"
_INSERT = """
    INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, payload,
      estimate_usd, batch_id, batch_place, waits_for, payer_id, run_after)
    VALUES ($1, $2, $3, $4, 'pending', $5, $5, $6, $7, $8, $9, $10, $11, $12, $13,
      CASE WHEN $12::text IS NULL THEN now() ELSE 'infinity' END) RETURNING *"""
_INSERT_BATCH = "INSERT INTO batches (id, kind, account_id, concurrency, size) VALUES ($1, 'runs', $2, $3, $4)"
_CANCEL_BATCH = "UPDATE batches SET cancelled_at = coalesce(cancelled_at, clock_timestamp()) WHERE id = $1"
_WORKFLOWS_OF_BATCH = """
    SELECT DISTINCT subject_id FROM runs WHERE batch_id = $1 AND status IN ('pending', 'running')"""
_LIVE_OF_BATCH = """
    SELECT * FROM runs WHERE batch_id = $1 AND subject_id = $2 AND status IN ('pending', 'running')
    ORDER BY batch_place FOR UPDATE"""
_UNFILLED = """
    SELECT id FROM batches CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE run_after < 'infinity') AS going, count(*) AS live FROM runs
      WHERE batch_id = batches.id AND status IN ('pending', 'running')) AS its
    WHERE finished_at IS NULL AND kind = 'runs' AND going < least(concurrency, greatest(live, 1))"""
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
_DISMISS = "UPDATE runs SET is_dead = false WHERE id = $1 AND is_dead RETURNING *"
_DISMISS_ALL = "UPDATE runs SET is_dead = false WHERE is_dead RETURNING id"

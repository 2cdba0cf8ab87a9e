"""Batches of runs, checked whole and started in one transaction; of them and of imports: looked at and cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from canvas.errors import Conflict, EaselError, Forbidden, NotFound, Unavailable
from canvas.values import check_json
from jobs.batch import (
    MAX_RUNS,
    Batch,
    StartBatch,
    StartedBatch,
    batch_of,
    check_size,
    item_of,
    nodes_twice,
    refusal,
)
from jobs.run import PictureUrl
from jobs.runs import Runs
from jobs.store.batches import BatchStore
from jobs.store.imports import ImportStore
from jobs.store.runs import NewRun, Refused, RunStore

MayRun = Callable[[str], Awaitable[object]]
"""Whether the caller may start runs in a workflow. Raises NotFound, Forbidden."""


class Batches:
    def __init__(
        self, store: BatchStore, run_store: RunStore, imports: ImportStore, runs: Runs, picture_url: PictureUrl
    ) -> None:
        self._store = store
        self._run_store = run_store
        self._imports = imports
        self._runs = runs
        self._picture_url = picture_url

    async def start(self, wanted: StartBatch, account_id: str, may_run: MayRun) -> StartedBatch:
        """BA1. All of it is stored before it returns, or nothing.

        Raises Invalid with `items`; NotFound or Forbidden when the caller may start none of them; and as `Runs.start`
        what is the account's or ours: BudgetExceeded, QuotaExceeded, Unavailable.
        """
        check_size("runs", len(wanted.runs), MAX_RUNS, wanted.concurrency)
        reasons: dict[int, EaselError] = {}
        news: list[NewRun] = []
        strange: dict[int, EaselError] = {}
        for index, request in enumerate(wanted.runs):
            try:
                check_json(request.workflow_id)
                try:
                    await may_run(request.workflow_id)
                except (NotFound, Forbidden) as error:
                    strange[index] = error
                    raise
                news.append(await self._runs.prepare(request, account_id))
            except Unavailable:
                raise
            except EaselError as error:
                reasons[index] = error
        if len(strange) == len(wanted.runs):
            raise strange[0]
        reasons = nodes_twice(wanted.runs) | reasons
        if reasons:
            raise refusal("runs", len(wanted.runs), reasons)
        try:
            batch_id, runs = await self._run_store.start_batch(news, wanted.concurrency or len(news))
        except Refused as error:
            raise refusal("runs", len(news), error.reasons) from error
        await self._runs.ring()
        return StartedBatch(batch_id, [run.record(self._picture_url) for run in runs])

    async def get(self, batch_id: str, account_id: str) -> Batch:
        """BA4. Raises NotFound for somebody else's."""
        row = await self._store.get(batch_id, account_id)
        if row.kind == "import":
            return batch_of(row, await self._imports.items_of(batch_id))
        runs = await self._store.runs_of(batch_id)
        return batch_of(row, [item_of(index, run.record(self._picture_url)) for index, run in runs])

    async def cancel(self, batch_id: str, account_id: str) -> Batch:
        """BA5. Raises NotFound, Conflict INVALID_STATE when it has ended."""
        row = await self._store.get(batch_id, account_id)
        cancel = self._imports.cancel if row.kind == "import" else self._run_store.cancel_batch
        if row.finished_at is not None or not await cancel(batch_id):
            raise Conflict("This batch has already ended.", code="INVALID_STATE")
        return await self.get(batch_id, account_id)

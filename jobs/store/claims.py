"""What a worker does with runs: take the next one, hold it, move it on. Each write names its fence (JB5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import msgspec

from canvas.relay.port import Relay
from canvas.store.postgres import Pool, reaching_the_database
from jobs.errors import Cancelled, LeaseLost
from jobs.metrics import QUEUE_WAIT_SECONDS
from jobs.providers.port import Progress
from jobs.renders import KeptPicture
from jobs.run import TRANSITIONS, Failure, Payload, PictureUrl, Run, RunResult
from jobs.store.batch_places import QUEUE
from jobs.store.costs import COST
from jobs.store.renders import insert_pictures
from jobs.store.rows import json_of, run_of
from jobs.store.turn import Turn, turn


class Claim(NamedTuple):
    run: Run
    """Its `fence` is the claimer's: every later write of it carries that number."""
    account_name: str
    is_takeover: bool


class Claims:
    def __init__(self, database: Pool, relay: Relay, picture_url: PictureUrl) -> None:
        self._database = database
        self._relay = relay
        self._picture_url = picture_url

    async def claim(self, worker: str, lease_s: float, places: Mapping[str, int] | None = None) -> Claim | None:
        """JB4, JB26. The run that has lost its worker, or the one whose turn it is; None: nothing waits.

        `places`: how many runs a provider carries at a time, for those that have a limit.
        """
        while (reserved := await self._reserve(worker, timedelta(seconds=lease_s), places or {})) is not None:
            run_id, workflow_id, fence = reserved
            async with turn(self._database, self._relay, workflow_id) as this:
                row = await this.connection.fetchrow(_BEGIN, run_id, fence)
                if row is None:  # it was cancelled just now
                    continue
                run = run_of(row)
                is_takeover = row["was_running"]
                if is_takeover:  # it goes on with the attempt that is under way
                    await this.append(run_id, "log", "Taken over by another worker", data={"fence": run.fence})
                else:
                    await this.tell(run, "Started", data={"attempt": run.attempt})
            if not is_takeover:
                QUEUE_WAIT_SECONDS.observe(max(0.0, row["waited"].total_seconds()))
            return Claim(run, row["account_name"], is_takeover)
        return None

    async def _reserve(self, worker: str, lease: timedelta, places: Mapping[str, int]) -> tuple[str, str, int] | None:
        """One statement, so that no two workers reserve the same run. A crash right after it costs a lease's time."""
        async with reaching_the_database():
            row = await self._database.fetchrow(_LAPSED, worker, lease)
            if row is None:
                limits = (list(places.keys()), list(places.values()))
                row = await self._database.fetchrow(_FAIREST, worker, lease, *limits)
        return (row["id"], row["subject_id"], row["fence"]) if row is not None else None

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
            if await this.connection.fetchval(HELD, run.id, run.fence) is None:
                raise LeaseLost
            await this.append(run.id, "log", message, data=data)

    async def complete(self, run: Run, pictures: list[KeptPicture]) -> None:
        """JB8. The pictures' rows, the run's end and the node in one transaction. Raises LeaseLost."""
        payload = msgspec.structs.replace(run.payload, images=tuple(picture.original.key for picture in pictures))
        async with turn(self._database, self._relay, run.workflow_id) as this:
            ended = await self._end(this, run, "completed", payload=payload)
            await insert_pictures(this.connection, run, pictures)
            results = tuple(self._result(picture) for picture in pictures)
            images = [result.image_url for result in results]
            data = {"imageUrl": images[0], "thumbnailUrl": results[0].thumbnail_url, "images": images}
            await this.tell(ended, "Done", data=data, results=results)

    def _result(self, picture: KeptPicture) -> RunResult:
        thumbnail = picture.variants.get("thumbnail", picture.original)
        return RunResult(self._picture_url(picture.original.key), self._picture_url(thumbnail.key), picture.seed)

    async def fail(self, run: Run, failure: Failure, *, is_dead: bool = False) -> None:
        """`is_dead`: to be listed until somebody replays it. Raises LeaseLost."""
        async with turn(self._database, self._relay, run.workflow_id) as this:
            ended = await self._end(this, run, "failed", failure=failure, is_dead=is_dead)
            await this.append(run.id, "error", failure.detail, data=failure.facts())
            await this.tell(ended, failure.detail, data={"code": failure.code})

    async def end_cancelled(self, run: Run) -> None:
        """Raises LeaseLost."""
        async with turn(self._database, self._relay, run.workflow_id) as this:
            await this.tell(await self._end(this, run, "cancelled"), "Cancelled")

    async def put_off(self, run: Run, seconds: float, message: str, *, uses_attempt: bool, asked_s: float = 0) -> None:
        """Back into the line, to be claimed after `seconds`; its bell rings then. Raises LeaseLost, Cancelled.

        `asked_s`: how much of that the provider asked for.
        """
        assert "pending" in TRANSITIONS["running"]
        wait = timedelta(seconds=seconds)
        async with turn(self._database, self._relay, run.workflow_id) as this:
            is_cancelled = await this.connection.fetchval(HELD, run.id, run.fence)
            if is_cancelled is None:
                raise LeaseLost
            if is_cancelled:
                raise Cancelled("Cancelled")
            row = await this.connection.fetchrow(_PUT_OFF, run.id, wait, int(not uses_attempt), asked_s, message)
            assert row is not None
            waiting = run_of(row)
            data = {"runAfter": row["run_after"].isoformat(), "attempt": run.attempt, "usesAttempt": uses_attempt}
            await this.tell(waiting, message, data=data)
            await this.connection.execute(_RING_LATER, run.id, QUEUE, wait)

    async def release(self, run: Run) -> None:
        """Give the lease back unfinished and ring again, so that another worker need not wait for it to run out."""
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            if await connection.fetchval(_RELEASE, run.id, run.fence) is not None:
                await connection.execute(_RING_LATER, run.id, QUEUE, timedelta())

    async def _end(
        self,
        this: Turn,
        run: Run,
        status: Literal["completed", "failed", "cancelled"],
        *,
        payload: Payload | None = None,
        failure: Failure | None = None,
        is_dead: bool = False,
    ) -> Run:
        assert status in TRANSITIONS["running"]
        error = json_of(failure) if failure else None
        row = await this.connection.fetchrow(
            _END, run.id, run.fence, status, json_of(payload or run.payload), error, is_dead
        )
        if row is None:
            raise LeaseLost
        return run_of(row)


# Queries

_LAPSED = """
    UPDATE runs SET worker = $1, fence = fence + 1, lease_until = clock_timestamp() + $2::interval WHERE id = (
      SELECT id FROM runs WHERE status = 'running' AND lease_until < now()
      ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, subject_id, fence"""
# `lines` steps from one account's line at a provider to the next, so that ten thousand waiting runs cost no more than
# their heads. now() and not clock_timestamp(): an index is entered at a value that stands still.
LINES = """
    WITH RECURSIVE lines AS (
      (SELECT account_id, provider FROM runs WHERE status = 'pending' ORDER BY account_id, provider LIMIT 1)
      UNION ALL
      SELECT following.account_id, following.provider FROM lines CROSS JOIN LATERAL (
        SELECT account_id, provider FROM runs
        WHERE status = 'pending' AND (account_id, provider) > (lines.account_id, lines.provider)
        ORDER BY account_id, provider LIMIT 1) AS following),
    carried AS MATERIALIZED (
      SELECT account_id, provider FROM runs WHERE status IN ('pending', 'running') AND lease_until > now()),
    of_account AS (SELECT account_id, count(*) AS runs FROM carried GROUP BY account_id),
    of_provider AS (SELECT provider, count(*) AS runs FROM carried GROUP BY provider)"""
# Who is next (JB26). A head's rank is how many runs its account would have with it: several workers that ask at once
# take one each.
_FAIREST = f"""{LINES},
    heads AS (
      SELECT head.id, head.run_after, accounts.served_at, coalesce(of_account.runs, 0) + head.place AS rank
      FROM lines JOIN accounts ON accounts.id = lines.account_id
      LEFT JOIN of_account USING (account_id)
      LEFT JOIN of_provider USING (provider)
      LEFT JOIN unnest($3::text[], $4::int[]) AS limited (provider, places) USING (provider)
      CROSS JOIN LATERAL (
        SELECT id, run_after, row_number() OVER (ORDER BY run_after, id) AS place FROM runs
        WHERE status = 'pending' AND account_id = lines.account_id AND provider = lines.provider
        AND run_after <= now() AND (lease_until IS NULL OR lease_until < now())
        ORDER BY run_after, id LIMIT 16) AS head
      WHERE limited.places IS NULL OR coalesce(of_provider.runs, 0) < limited.places),
    chosen AS (
      SELECT runs.id, runs.account_id FROM heads JOIN runs ON runs.id = heads.id
      WHERE runs.status = 'pending' AND (runs.lease_until IS NULL OR runs.lease_until < now())
      ORDER BY heads.rank, heads.served_at NULLS FIRST, heads.run_after, heads.id
      LIMIT 1 FOR UPDATE OF runs SKIP LOCKED),
    served AS (
      UPDATE accounts SET served_at = clock_timestamp() FROM chosen WHERE accounts.id = chosen.account_id)
    UPDATE runs SET worker = $1, fence = fence + 1, lease_until = clock_timestamp() + $2::interval
    FROM chosen WHERE runs.id = chosen.id RETURNING runs.id, runs.subject_id, runs.fence"""
_BEGIN = """
    WITH mine AS (
      SELECT id, status = 'running' AS was_running FROM runs
      WHERE id = $1 AND fence = $2 AND status IN ('pending', 'running') FOR UPDATE)
    UPDATE runs SET status = 'running', attempt = attempt + (NOT mine.was_running)::int,
      takeovers = takeovers + mine.was_running::int, progress = coalesce(progress, 0)
    FROM mine, accounts WHERE runs.id = mine.id AND accounts.id = runs.account_id
    RETURNING runs.*, mine.was_running, accounts.name AS account_name, clock_timestamp() - runs.run_after AS waited"""
_HEARTBEAT = """
    UPDATE runs SET lease_until = clock_timestamp() + $3::interval
    WHERE id = $1 AND fence = $2 AND status = 'running' RETURNING cancel_requested"""
_PROGRESS = "UPDATE runs SET progress = $3 WHERE id = $1 AND fence = $2 AND status = 'running' RETURNING true"
HELD = "SELECT cancel_requested FROM runs WHERE id = $1 AND fence = $2 AND status = 'running' FOR UPDATE"
_PUT_OFF = """
    UPDATE runs SET status = 'pending', lease_until = NULL, worker = NULL, progress = NULL,
      run_after = clock_timestamp() + $2::interval, attempt = attempt - $3, waited_s = waited_s + $4,
      waits_for = $5
    WHERE id = $1 RETURNING *"""
_RING_LATER = """
    INSERT INTO outbox (run_id, doorbell, ring_at) VALUES ($1, $2, clock_timestamp() + $3::interval)"""
_RELEASE = """
    UPDATE runs SET lease_until = clock_timestamp()
    WHERE id = $1 AND fence = $2 AND status = 'running' RETURNING true"""
_END = f"""
    UPDATE runs SET status = $3, payload = $4, error = $5, is_dead = $6, lease_until = NULL,
      finished_at = clock_timestamp(), progress = CASE WHEN $3 = 'completed' THEN 100 ELSE progress END, {COST}
    WHERE id = $1 AND fence = $2 AND status = 'running' RETURNING *"""

"""Rows of `provider_calls`: each state is committed, and told as an event, before the next step is taken (JB25)."""

from __future__ import annotations

from typing import Any, NamedTuple

import asyncpg
import msgspec

from canvas.relay.port import Relay
from canvas.store.postgres import Pool, reaching_the_database
from jobs.call import Answered, Call, CallState, MadePicture, Part, request_hash
from jobs.errors import LeaseLost
from jobs.providers.port import Model, Ticket
from jobs.run import Failure, Run
from jobs.store.claims import HELD
from jobs.store.costs import COST, check_budget
from jobs.store.quotas import Limits, payer_of_run
from jobs.store.rows import json_of, run_of
from jobs.store.turn import Turn, turn

_ticket = msgspec.json.Decoder(Ticket)
_answer = msgspec.json.Decoder(Answered)
_failure = msgspec.json.Decoder(Failure)


class Sending(NamedTuple):
    """What is written before an order leaves."""

    id: str
    part: Part
    model: Model
    credential: str
    estimate_usd: float | None


class OpenCall(NamedTuple):
    """An order of a run that has ended without it: the provider is to be told."""

    run: Run
    call: Call


class CallStore:
    def __init__(self, database: Pool, relay: Relay, limits: Limits | None = None) -> None:
        self._database = database
        self._relay = relay
        self._limits = limits or Limits()

    async def of_run(self, run: Run) -> dict[int, Call]:
        """The newest call of each of the run's orders, by their numbers."""
        async with reaching_the_database():
            return {row["number"]: call_of(row) for row in await self._database.fetch(_OF_RUN, run.id)}

    async def check_held(self, run: Run) -> None:
        """Before bytes are stored that no row names yet. Raises LeaseLost."""
        async with reaching_the_database():
            if await self._database.fetchval(_STILL_HELD, run.id, run.fence) is None:
                raise LeaseLost

    # Each of these raises LeaseLost, and answers the call as it is now.

    async def send(self, run: Run, sending: Sending) -> Call:
        """Before the order leaves. The same one once more is fine. Raises BudgetExceeded, too."""
        async with turn(self._database, self._relay, run.workflow_id) as this:
            await _held(this, run)
            estimate_usd = self._limits.estimate_usd(sending.estimate_usd, sending.part.prompt.n)
            payer = await payer_of_run(this.connection, run.id, self._limits)
            if payer.limits.budget_usd is not None:
                budget_usd = payer.limits.budget_usd
                await check_budget(this.connection, payer.id, estimate_usd, budget_usd, besides=run.id)
            row = await this.connection.fetchrow(
                _SEND,
                sending.id,
                run.id,
                sending.part.number,
                run.attempt,
                run.request.provider,
                sending.model.id,
                sending.credential,
                request_hash(sending.model, sending.part.prompt),
                estimate_usd,
            )
            await self._tell(this, run, row, f"Sent to {sending.model.label}")
            return call_of(row)

    async def withdraw(self, run: Run, call: Call, reason: str) -> None:
        """The order was not let in: as if it had never been sent. Once more changes nothing."""
        async with turn(self._database, self._relay, run.workflow_id) as this:
            await _held(this, run)
            row = await this.connection.fetchrow("DELETE FROM provider_calls WHERE id = $1 RETURNING *", call.id)
            if row is not None:
                await self._tell(this, run, row, reason, state="withdrawn")

    async def accepted(self, run: Run, call: Call, ticket: Ticket) -> Call:
        async with turn(self._database, self._relay, run.workflow_id) as this:
            await _held(this, run)
            row = await this.connection.fetchrow(_ACCEPTED, call.id, ticket.id, json_of(ticket))
            await self._tell(this, run, row, "Accepted")
            return call_of(row)

    async def answered(self, run: Run, call: Call, answer: Answered, cost_usd: float | None) -> Call:
        """Where the pictures can be had, before any of them is downloaded."""
        async with turn(self._database, self._relay, run.workflow_id) as this:
            await _held(this, run)
            row = await this.connection.fetchrow(_ANSWERED, call.id, json_of(answer), cost_usd)
            await self._tell(this, run, row, f"Answered: {_count(len(answer.urls))}")
            return call_of(row)

    async def kept(
        self, run: Run, call: Call, answer: Answered, made: list[MadePicture], cost_usd: float | None
    ) -> Call:
        """The originals are in the object store."""
        full = json_of(msgspec.structs.replace(answer, kept=tuple(made)))
        async with turn(self._database, self._relay, run.workflow_id) as this:
            await _held(this, run)
            row = await this.connection.fetchrow(_KEPT, call.id, full, cost_usd, len(made))
            await self._tell(this, run, row, f"Stored: {_count(len(made))}")
            for note in answer.notes:
                await this.append(run.id, "log", note, data={"order": call.number, "code": "NOTE"})
            return call_of(row)

    async def failed(self, run: Run, call: Call, failure: Failure, state: CallState = "failed") -> Call:
        """Ended without pictures; what was surely not charged has cost nothing."""
        async with turn(self._database, self._relay, run.workflow_id) as this:
            await _held(this, run)
            row = await this.connection.fetchrow(_FAILED, call.id, state, json_of(failure), failure.charged)
            await self._tell(this, run, row, failure.detail, **failure.facts())
            return call_of(row)

    async def _tell(self, this: Turn, run: Run, row: asyncpg.Record | None, message: str, **facts: Any) -> None:
        assert row is not None  # the run is held, and its calls go only with it
        about = {"order": row["number"], "attempt": row["attempt"], "state": row["state"]}
        await this.append(run.id, "log", message, data=about | facts)

    # What is left open when a run ends

    async def left_open(self, limit: int) -> list[OpenCall]:
        """Orders that may still be under way, of runs that have ended."""
        async with reaching_the_database():
            rows = await self._database.fetch(_LEFT_OPEN, limit)
            runs = await self._database.fetch(
                "SELECT * FROM runs WHERE id = ANY($1::text[])", [row["run_id"] for row in rows]
            )
        of_id = {row["id"]: run_of(row) for row in runs}
        return [OpenCall(of_id[row["run_id"]], call_of(row)) for row in rows if row["run_id"] in of_id]

    async def close(self, run: Run, call: Call, state: CallState, *, is_free: bool) -> None:
        """No event: the run's stream has ended with its last one (JB20)."""
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            await connection.execute(_CLOSE, call.id, state, is_free)
            await connection.execute(NEW_COST, run.id)


async def _held(this: Turn, run: Run) -> None:
    if await this.connection.fetchval(HELD, run.id, run.fence) is None:
        raise LeaseLost


def _count(pictures: int) -> str:
    return f"{pictures} picture{'' if pictures == 1 else 's'}"


def call_of(row: asyncpg.Record | None) -> Call:
    assert row is not None
    return Call(
        id=row["id"],
        number=row["number"],
        attempt=row["attempt"],
        state=row["state"],
        age_s=row["age_s"],
        job_id=row["job_id"],
        ticket=_ticket.decode(row["ticket"]) if row["ticket"] else None,
        answer=_answer.decode(row["answer"]) if row["answer"] else None,
        failure=_failure.decode(row["error"]) if row["error"] else None,
    )


# Queries

CALL = "*, extract(epoch FROM clock_timestamp() - sent_at)::float8 AS age_s"
_STILL_HELD = "SELECT true FROM runs WHERE id = $1 AND fence = $2 AND status = 'running'"
_OF_RUN = f"SELECT DISTINCT ON (number) {CALL} FROM provider_calls WHERE run_id = $1 ORDER BY number, attempt DESC"
_SEND = f"""
    INSERT INTO provider_calls (id, run_id, number, attempt, provider, model, credential, request_hash, estimate_usd,
      state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'sending')
    ON CONFLICT (id) DO UPDATE SET sent_at = clock_timestamp(), credential = excluded.credential
    RETURNING {CALL}"""
_ACCEPTED = f"""
    UPDATE provider_calls SET state = 'accepted', job_id = $2, ticket = $3, accepted_at = clock_timestamp()
    WHERE id = $1 RETURNING {CALL}"""
_ANSWERED = f"""
    UPDATE provider_calls SET state = 'answered', answer = $2, cost_usd = coalesce($3, cost_usd),
      accepted_at = coalesce(accepted_at, clock_timestamp()) WHERE id = $1 RETURNING {CALL}"""
_KEPT = f"""
    UPDATE provider_calls SET state = 'kept', answer = $2, cost_usd = coalesce($3, cost_usd), pictures = $4,
      ended_at = clock_timestamp(), accepted_at = coalesce(accepted_at, clock_timestamp())
    WHERE id = $1 RETURNING {CALL}"""
_LOOK = "CASE WHEN $2 = 'unknown' THEN clock_timestamp() + interval '30 s' END"  # JB35
_FAILED = f"""
    UPDATE provider_calls SET state = $2, error = $3, ended_at = clock_timestamp(), look_at = {_LOOK},
      cost_usd = CASE WHEN $4 = 'no' THEN 0 ELSE cost_usd END WHERE id = $1 RETURNING {CALL}"""
_LEFT_OPEN = f"""
    SELECT {CALL} FROM provider_calls WHERE state IN ('sending', 'accepted')
    AND (state = 'accepted' OR sent_at < clock_timestamp() - interval '30 s')  -- somebody may be sending it just now
    AND EXISTS (SELECT FROM runs WHERE id = run_id AND finished_at IS NOT NULL) ORDER BY sent_at LIMIT $1"""
_CLOSE = f"""
    UPDATE provider_calls SET state = $2, ended_at = clock_timestamp(), look_at = {_LOOK},
      cost_usd = CASE WHEN $3 THEN 0 ELSE cost_usd END
    WHERE id = $1 AND state IN ('sending', 'accepted')"""
NEW_COST = f"UPDATE runs SET {COST} WHERE id = $1"

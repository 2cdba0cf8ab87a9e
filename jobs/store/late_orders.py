"""Orders that ended as `unknown`, to be looked for again, and the pictures that come of them (JB35)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from canvas.relay.port import Relay
from canvas.store.postgres import Pool, reaching_the_database
from jobs.call import Answered, Call, CallState, MadePicture
from jobs.renders import KeptPicture
from jobs.run import LATE, Failure, Frame, PictureUrl, Run, late_change
from jobs.store.calls import CALL, NEW_COST, call_of
from jobs.store.renders import insert_pictures
from jobs.store.rows import json_of, run_of
from jobs.store.turn import Turn, turn


class LateOrder(NamedTuple):
    run: Run
    """It has ended."""
    call: Call
    account_name: str
    looks: int
    """This one is counted."""
    due_again: datetime
    """When another looks for it, if this look comes to no end."""


class LateOrderStore:
    def __init__(self, database: Pool, relay: Relay, picture_url: PictureUrl) -> None:
        self._database = database
        self._relay = relay
        self._picture_url = picture_url

    async def take(self, limit: int, lease_s: float) -> list[LateOrder]:
        """Those that are due, longest first; nobody else gets them for `lease_s`. Raises Unavailable."""
        async with reaching_the_database():
            rows = await self._database.fetch(_TAKE, limit, timedelta(seconds=lease_s))
            runs = await self._database.fetch(_RUNS, [row["run_id"] for row in rows])
        of_id = {row["id"]: row for row in runs}
        return [
            LateOrder(run_of(run), call_of(row), run["account_name"], row["looks"], row["look_at"])
            for row in rows
            if (run := of_id.get(row["run_id"])) is not None  # else it went just now, with its workflow
        ]

    async def put_off(self, late: LateOrder, pause_s: float | None) -> None:
        """None: for good. A report that came meanwhile has made it due, and it stays so. Raises Unavailable."""
        pause = None if pause_s is None else timedelta(seconds=pause_s)
        async with reaching_the_database():
            await self._database.execute(_PUT_OFF, late.call.id, late.due_again, pause)

    async def settle(self, late: LateOrder, state: CallState, failure: Failure | None = None) -> None:
        """Nothing comes of it, and it is known why; without a failure it had never arrived. Raises Unavailable."""
        charged = failure.charged if failure is not None else "no"
        error = None if failure is None else json_of(failure)
        async with reaching_the_database(), self._database.acquire() as connection, connection.transaction():
            await connection.execute(_SETTLE, late.call.id, state, error, charged)
            await connection.execute(NEW_COST, late.run.id)

    async def keep(
        self,
        late: LateOrder,
        answer: Answered,
        made: list[MadePicture],
        pictures: list[KeptPicture],
        cost_usd: float | None,
    ) -> bool:
        """The call, renders, what the run has cost and, while it is still this run's, the node, in one transaction.

        False: somebody else was first. Raises Unavailable.
        """
        full = json_of(msgspec.structs.replace(answer, kept=tuple(made)))
        async with turn(self._database, self._relay, late.run.workflow_id) as this:
            at = await this.connection.fetchval(_KEEP, late.call.id, full, cost_usd, len(made))
            if at is None:
                return False
            first: int = await this.connection.fetchval(_NEXT_PICTURE, late.run.id)
            await insert_pictures(this.connection, late.run, pictures, first)
            keys = [picture.original.key for picture in pictures]
            await this.connection.execute(NEW_COST, late.run.id)
            run = run_of(await this.connection.fetchrow(_LATE_IMAGES, late.run.id, keys))
            await self._tell(this, run, pictures[0], at)
        return True

    async def _tell(self, this: Turn, run: Run, picture: KeptPicture, at: datetime) -> None:
        """No event: the run's stream has ended with its last one (JB20)."""
        if run.status == "failed" and await this.shows(run):
            thumbnail = picture.variants.get("thumbnail", picture.original)
            urls = self._picture_url(picture.original.key), self._picture_url(thumbnail.key)
            await this.set_on_node(run, late_change(at, *urls))
        this.show(Frame(run.id, run.node_id, run.status, run.progress, message=LATE))


# Queries

_TAKE = f"""
    UPDATE provider_calls SET looks = looks + 1, look_at = clock_timestamp() + $2::interval WHERE id IN (
      SELECT id FROM provider_calls call WHERE look_at <= now()
      AND EXISTS (SELECT FROM runs WHERE id = call.run_id AND finished_at IS NOT NULL)
      ORDER BY look_at LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING {CALL}"""
_RUNS = """
    SELECT runs.*, accounts.name AS account_name FROM runs JOIN accounts ON accounts.id = runs.account_id
    WHERE runs.id = ANY($1::text[])"""
_PUT_OFF = """
    UPDATE provider_calls SET look_at = clock_timestamp() + $3::interval
    WHERE id = $1 AND look_at = $2 AND state = 'unknown'"""
_SETTLE = """
    UPDATE provider_calls SET state = $2, error = coalesce($3, error), look_at = NULL,
      cost_usd = CASE WHEN $4 = 'no' THEN 0 ELSE cost_usd END WHERE id = $1 AND state = 'unknown'"""
_KEEP = """
    UPDATE provider_calls SET state = 'kept', answer = $2, cost_usd = coalesce($3, cost_usd), pictures = $4,
      look_at = NULL, ended_at = clock_timestamp(), accepted_at = coalesce(accepted_at, clock_timestamp())
    WHERE id = $1 AND state = 'unknown' RETURNING ended_at"""
_NEXT_PICTURE = "SELECT coalesce(max(picture) + 1, 0) FROM renders WHERE run_id = $1"
_LATE_IMAGES = "UPDATE runs SET late_images = late_images || $2::text[] WHERE id = $1 RETURNING *"

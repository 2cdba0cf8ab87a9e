"""Notices and the webhooks they go to, in PostgreSQL. One is written in the transaction that ends its run (NO1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg

from canvas.errors import Conflict, NotFound
from canvas.ids import new_id
from canvas.store.postgres import Connection, Pool, reaching_the_database
from jobs.notice import OPERATOR, FailureWebhook, NewFailureWebhook, NoticeRecord, NoticeState
from jobs.pages import Page, Place, page_of
from jobs.run import Run
from jobs.store.rows import run_of

AT_ONCE = 128  # notices that one worker sends at a time
AT_ONCE_EACH = 4  # of one webhook: a slow one holds up no other
FORGOTTEN_AFTER = timedelta(days=7)  # a notice that is due is taken within a second, by whoever has the address


class DueNotice(NamedTuple):
    id: str
    webhook_id: str
    created_at: datetime
    attempts: int
    """This one counted."""
    url: str | None
    """None, as the secret: the operator's, which are settings."""
    secret: str | None
    run: Run
    is_dead: bool
    workflow_name: str


async def write_notices(connection: Connection, failed: Iterable[Run]) -> None:
    """NO1. One for the operator and one for the workflow's owner, whoever of them wants any."""
    for run in failed:
        await connection.execute(_WRITE, run.id, run.workflow_id, [new_id("ntc"), new_id("ntc")], OPERATOR)


class NoticeStore:
    def __init__(self, database: Pool) -> None:
        self._database = database

    # What is sent

    async def want_operator(self) -> None:
        """Raises Unavailable."""
        async with reaching_the_database():
            await self._database.execute(_WANT_OPERATOR, OPERATOR)

    async def has_operator(self) -> bool:
        """Whether failures are written down for the operator. Raises Unavailable."""
        async with reaching_the_database():
            return bool(await self._database.fetchval(_HAS_OPERATOR, OPERATOR))

    async def forget_operator(self) -> bool:
        """With all its notices, once one has been due for FORGOTTEN_AFTER; answers whether. Raises Unavailable."""
        async with reaching_the_database():
            return await self._database.fetchval(_FORGET_OPERATOR, OPERATOR, FORGOTTEN_AFTER) is not None

    async def take_due(self, lease_s: float, *, with_operators: bool, busy: Sequence[str] = ()) -> list[DueNotice]:
        """Each counted as tried and put off by `lease_s`, so that nobody else sends it meanwhile.

        The operator's are left for whoever has the address. `busy`: the webhook of each that this worker is still
        sending. A webhook's first comes before any other's second. Raises Unavailable.
        """
        room = AT_ONCE - len(busy)
        if room <= 0:
            return []
        lease = timedelta(seconds=lease_s)
        left = None if with_operators else OPERATOR
        async with reaching_the_database():
            rows = await self._database.fetch(_TAKE, room, AT_ONCE_EACH, lease, left, list(busy))
            if not rows:
                return []
            runs = await self._database.fetch(_RUNS, [row["run_id"] for row in rows])
        found = {row["id"]: row for row in runs}
        return [_due(row, found[row["run_id"]]) for row in rows if row["run_id"] in found]

    async def delivered(self, notice: DueNotice) -> None:
        await self._end(_DELIVERED, notice)

    async def put_off(self, notice: DueNotice, seconds: float, reason: str) -> None:
        await self._end(_PUT_OFF, notice, timedelta(seconds=seconds), reason)

    async def give_up(self, notice: DueNotice, reason: str) -> None:
        await self._end(_GIVE_UP, notice, reason)

    async def _end(self, query: str, notice: DueNotice, *values: object) -> None:
        """Nothing, if another worker has tried it since. Raises Unavailable."""
        async with reaching_the_database():
            await self._database.execute(query, notice.id, notice.attempts, *values)

    # What people see

    async def webhook_of(self, account_id: str) -> FailureWebhook:
        async with reaching_the_database():
            row = await self._database.fetchrow(_WEBHOOK, account_id)
        return FailureWebhook(row["url"], row["created_at"]) if row is not None else FailureWebhook(None, None)

    async def set_webhook(self, account_id: str, url: str, secret: str) -> NewFailureWebhook:
        """What is on its way goes to the new address, signed with the new secret."""
        async with reaching_the_database():
            at: datetime = await self._database.fetchval(_SET_WEBHOOK, account_id, url, secret)
        return NewFailureWebhook(url, secret, at)

    async def drop_webhook(self, account_id: str) -> None:
        """With all its notices."""
        async with reaching_the_database():
            await self._database.execute("DELETE FROM failure_webhooks WHERE id = $1", account_id)

    async def page(
        self, webhook_id: str, state: NoticeState | None, before: Place | None, limit: int
    ) -> Page[NoticeRecord]:
        """Newest first."""
        async with reaching_the_database():
            rows = await self._database.fetch(_LIST, webhook_id, state, *(before or (None, None)), limit)
        last = Place(rows[-1]["created_at"], rows[-1]["id"]) if rows else None
        return page_of([_record(row) for row in rows], limit, last)

    async def dead(self, limit: int) -> list[NoticeRecord]:
        """Of everybody, newest first."""
        async with reaching_the_database():
            return [_record(row) for row in await self._database.fetch(_DEAD, limit)]

    async def replay(self, notice_id: str, webhook_id: str | None = None) -> NoticeRecord:
        """A dead one starts over. Raises NotFound, of another webhook's too, and Conflict INVALID_STATE."""
        async with reaching_the_database():
            row = await self._database.fetchrow(_REPLAY, notice_id, webhook_id)
            if row is None:
                known = await self._database.fetchrow(_ONE, notice_id)
                if known is None or (webhook_id is not None and known["webhook_id"] != webhook_id):
                    raise NotFound("There is no such notice.")
                raise Conflict(f"This notice is {_state(known)}, not dead.", code="INVALID_STATE")
            return _record(await self._database.fetchrow(_ONE, notice_id))

    async def replay_all(self) -> int:
        """Every dead one, of everybody; answers how many."""
        async with reaching_the_database():
            return len(await self._database.fetch(_REPLAY_ALL))


def _due(row: asyncpg.Record, run: asyncpg.Record) -> DueNotice:
    return DueNotice(
        row["id"],
        row["webhook_id"],
        row["created_at"],
        row["attempts"],
        row["url"],
        row["secret"],
        run_of(run),
        run["is_dead"],
        run["workflow_name"],
    )


def _record(row: Any) -> NoticeRecord:
    return NoticeRecord(
        id=row["id"],
        job_id=row["run_id"],
        workflow_id=row["workflow_id"],
        code=row["code"],
        state=_state(row),
        created_at=row["created_at"],
        attempts=row["attempts"],
        next_attempt_at=row["due_at"],
        delivered_at=row["delivered_at"],
        reason=row["reason"],
    )


def _state(row: asyncpg.Record) -> NoticeState:
    return "dead" if row["is_dead"] else "waiting" if row["delivered_at"] is None else "delivered"


# Queries

_WRITE = """
    INSERT INTO notices (id, webhook_id, run_id)
    SELECT ($3::text[])[row_number() OVER (ORDER BY failure_webhooks.id)], failure_webhooks.id, $1
    FROM failure_webhooks WHERE failure_webhooks.id = $4 OR failure_webhooks.id = (
      SELECT account_id FROM members WHERE workflow_id = $2 AND role = 'owner')
    ON CONFLICT DO NOTHING"""
_WANT_OPERATOR = "INSERT INTO failure_webhooks (id) VALUES ($1) ON CONFLICT DO NOTHING"
_HAS_OPERATOR = "SELECT EXISTS (SELECT FROM failure_webhooks WHERE id = $1)"
_FORGET_OPERATOR = """
    DELETE FROM failure_webhooks WHERE id = $1
    AND EXISTS (SELECT FROM notices WHERE webhook_id = $1 AND due_at < now() - $2::interval) RETURNING id"""
_TAKE = """
    WITH busy AS (SELECT webhook_id, count(*) AS places FROM unnest($5::text[]) AS webhook_id GROUP BY webhook_id),
    ranked AS (
      SELECT id, due_at, coalesce(places, 0) + row_number() OVER (PARTITION BY webhook_id ORDER BY due_at, id) AS place
      FROM notices LEFT JOIN busy USING (webhook_id)
      WHERE due_at <= now() AND webhook_id IS DISTINCT FROM $4::text),
    chosen AS (SELECT id FROM ranked WHERE place <= $2 ORDER BY place, due_at, id LIMIT $1),
    mine AS (
      SELECT notices.id FROM notices JOIN chosen USING (id)
      WHERE notices.due_at <= now() FOR UPDATE OF notices SKIP LOCKED)
    UPDATE notices SET attempts = attempts + 1, due_at = clock_timestamp() + $3::interval
    FROM mine, failure_webhooks WHERE notices.id = mine.id AND failure_webhooks.id = notices.webhook_id
    RETURNING notices.id, webhook_id, notices.created_at, attempts, run_id, url, secret"""
_RUNS = """
    SELECT runs.*, workflows.name AS workflow_name FROM runs JOIN workflows ON workflows.id = runs.subject_id
    WHERE runs.id = ANY($1::text[])"""
_DELIVERED = """
    UPDATE notices SET due_at = NULL, delivered_at = clock_timestamp(), reason = NULL
    WHERE id = $1 AND attempts = $2 AND due_at IS NOT NULL"""
_PUT_OFF = """
    UPDATE notices SET due_at = clock_timestamp() + $3::interval, reason = $4
    WHERE id = $1 AND attempts = $2 AND due_at IS NOT NULL"""
_GIVE_UP = """
    UPDATE notices SET due_at = NULL, is_dead = true, reason = $3
    WHERE id = $1 AND attempts = $2 AND due_at IS NOT NULL"""
_WEBHOOK = "SELECT url, created_at FROM failure_webhooks WHERE id = $1"
_SET_WEBHOOK = """
    INSERT INTO failure_webhooks (id, account_id, url, secret) VALUES ($1, $1, $2, $3)
    ON CONFLICT (id) DO UPDATE SET url = $2, secret = $3, created_at = now() RETURNING created_at"""
_SHOWN = """
    SELECT notices.*, runs.subject_id AS workflow_id, runs.error ->> 'code' AS code
    FROM notices JOIN runs ON runs.id = notices.run_id"""
_LIST = f"""
    {_SHOWN} WHERE webhook_id = $1 AND ($2::text IS NULL OR $2 = CASE
      WHEN notices.is_dead THEN 'dead' WHEN delivered_at IS NULL THEN 'waiting' ELSE 'delivered' END)
    AND ($3::timestamptz IS NULL OR (notices.created_at, notices.id) < ($3, $4::text))
    ORDER BY notices.created_at DESC, notices.id DESC LIMIT $5"""
_DEAD = f"{_SHOWN} WHERE notices.is_dead ORDER BY notices.created_at DESC, notices.id DESC LIMIT $1"
_ONE = f"{_SHOWN} WHERE notices.id = $1"
_REPLAY = """
    UPDATE notices SET is_dead = false, attempts = 0, due_at = clock_timestamp()
    WHERE id = $1 AND is_dead AND ($2::text IS NULL OR webhook_id = $2) RETURNING id"""
_REPLAY_ALL = """
    UPDATE notices SET is_dead = false, attempts = 0, due_at = clock_timestamp() WHERE is_dead RETURNING id"""

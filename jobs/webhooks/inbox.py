"""Believed reports in PostgreSQL: kept once each, matched with the call they are about, told to whoever waits."""

from __future__ import annotations

import asyncio
import itertools
import re
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import asyncpg
import structlog

from canvas.errors import Unavailable
from canvas.relay.port import CallHint, Relay
from canvas.store.postgres import Pool, reaching_the_database
from jobs.store.turn import Turn, turn
from jobs.webhooks.delivery import News

log = structlog.get_logger(__name__)

SORT_EVERY_S = 1.0
RETIRE_EACH = 60  # rounds
BATCH = 200
UNKNOWN_FOR = timedelta(minutes=10)  # a report may overtake the commit that makes its job known
KEPT_FOR = timedelta(days=7)  # longer than any sender repeats itself

Outcome = Literal["known", "unknown", "duplicate"]


class Kept(NamedTuple):
    outcome: Outcome
    number: int | None
    """Of its row; None for a duplicate."""


class Inbox:
    def __init__(self, database: Pool, relay: Relay) -> None:
        self._database = database
        self._relay = relay

    async def keep(self, provider: str, news: News, order_id: str | None) -> Kept:
        """Once for each event. Raises Unavailable, and then nothing is kept."""
        values = (provider, news.event_id, news.job_id, order_id, news.word, news.rank)
        async with reaching_the_database(), self._database.acquire() as connection:
            number: int | None = await connection.fetchval(_KEEP, *values)
            if number is None:
                return Kept("duplicate", None)
            is_known = await connection.fetchrow(_MATCHED, number, UNKNOWN_FOR, 1) is not None
        return Kept("known" if is_known else "unknown", number)

    async def salt_of(self, order_id: str) -> str | None:
        """Of the run that the order belongs to; None when there is no such order. Raises Unavailable."""
        async with reaching_the_database():
            salt: str | None = await self._database.fetchval(_SALT, order_id)
        return salt

    async def sort(self, number: int | None = None) -> int:
        """Tell what waits and whose call is known by now, or only that one; answers how many. Raises Unavailable."""
        async with reaching_the_database():
            rows = await self._database.fetch(_MATCHED, number, UNKNOWN_FOR, BATCH)
        for row in rows:
            async with turn(self._database, self._relay, row["workflow_id"]) as this:
                await _tell(this, row)
        return len(rows)

    async def retire(self) -> None:
        """Give up on what nobody knows, and forget what is old. Raises Unavailable."""
        async with reaching_the_database():
            await self._database.execute(_GIVE_UP, UNKNOWN_FOR)
            await self._database.execute(_FORGET, KEPT_FOR)


async def keep_sorting(inbox: Inbox) -> None:
    """Until cancelled: reports that came before their job was known, and those whose server died over them."""
    for round_ in itertools.count():
        try:
            while await inbox.sort() == BATCH:
                pass
            if round_ % RETIRE_EACH == 0:
                await inbox.retire()
        except Unavailable as error:
            log.warning("webhook.waits", reason=error.detail)
        await asyncio.sleep(SORT_EVERY_S)


def order_id_of(text: str | None) -> str | None:
    """An order's id out of an address; None for what is none."""
    return text if text is not None and re.fullmatch(r"[0-9a-f]{32}", text, re.ASCII) else None


async def _tell(this: Turn, row: Any) -> None:
    """Under the workflow's lock, so once: the event (JB20: not after the run's last), the job's id, the waiting worker.

    A state that is not higher than one told before is an old report that was late: it wakes, and is not told.
    """
    connection = this.connection
    told = await connection.fetchrow(_SORTED, row["number"], row["order_id"])
    if told is None:
        return
    if row["job_id"] is not None:
        await _name_job(this, row)
    await connection.execute(_LOOK, row["order_id"])
    if told["is_live"] and told["is_higher"]:
        data = {"provider": row["provider"], "eventId": row["event_id"], "reported": row["word"]}
        await this.append(row["run_id"], "webhook", f"{row['provider']} reports: {row['word']}", data=data)
    this.hints.append(CallHint(row["order_id"]))


async def _name_job(this: Turn, row: Any) -> None:
    """A call whose `submit` was cut off learns its job by the order's id in the address. Others know it already."""
    try:
        async with this.connection.transaction():
            await this.connection.execute(_NAME_JOB, row["order_id"], row["job_id"])
    except asyncpg.UniqueViolationError:
        log.warning("webhook.job_taken", provider=row["provider"], order=row["order_id"])


_KEEP = """
    INSERT INTO webhook_inbox (provider, event_id, job_id, order_id, word, rank) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (provider, event_id) DO NOTHING RETURNING number"""
# By the job; or by the order in the address, as long as nothing says that it has another job.
_MATCHED = """
    SELECT inbox.number, inbox.provider, inbox.event_id, inbox.job_id, inbox.word, inbox.rank,
      call.id AS order_id, call.run_id, runs.subject_id AS workflow_id
    FROM webhook_inbox inbox
    JOIN provider_calls call ON call.provider = inbox.provider AND (call.job_id = inbox.job_id OR (
      call.id = inbox.order_id AND (call.job_id IS NULL OR inbox.job_id IS NULL)))
    JOIN runs ON runs.id = call.run_id
    WHERE inbox.sorted_at IS NULL AND inbox.received_at > now() - $2::interval
      AND ($1::bigint IS NULL OR inbox.number = $1)
    ORDER BY inbox.number, call.job_id IS NULL LIMIT $3"""
_SORTED = """
    UPDATE webhook_inbox inbox SET sorted_at = clock_timestamp(), call_id = $2
    WHERE number = $1 AND sorted_at IS NULL RETURNING
      (SELECT runs.finished_at IS NULL FROM provider_calls call JOIN runs ON runs.id = call.run_id WHERE call.id = $2)
        AS is_live,
      rank > coalesce((SELECT max(told.rank) FROM webhook_inbox told WHERE told.call_id = $2), -1) AS is_higher"""
_NAME_JOB = """
    UPDATE provider_calls SET job_id = $2
    WHERE id = $1 AND job_id IS NULL AND state IN ('sending', 'unknown')"""
_LOOK = "UPDATE provider_calls SET look_at = clock_timestamp() WHERE id = $1 AND state = 'unknown'"  # JB35
_SALT = """
    SELECT runs.payload ->> 'salt' FROM provider_calls call JOIN runs ON runs.id = call.run_id
    WHERE call.id = $1 AND call.provider = 'midjourney'"""
_GIVE_UP = "UPDATE webhook_inbox SET sorted_at = now() WHERE sorted_at IS NULL AND received_at < now() - $1::interval"
_FORGET = "DELETE FROM webhook_inbox WHERE received_at < now() - $1::interval"

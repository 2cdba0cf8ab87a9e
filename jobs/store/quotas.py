"""What an account may start and spend, and whose money it is: asked in the transaction that reserves (JB32, JB40)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg
import msgspec

from canvas.store.postgres import Connection
from jobs.errors import QuotaExceeded


class Limits(msgspec.Struct, frozen=True):
    """Of an account that has none of its own. None: no limit."""

    runs_per_day: int | None = None
    live_runs: int | None = None
    budget_usd: float | None = None
    """In a day (UTC)."""
    assumed_price_usd: float | None = None
    """What a picture counts with whose price nobody knows."""

    def estimate_usd(self, known_usd: float | None, pictures: int) -> float | None:
        if known_usd is None and self.assumed_price_usd is not None:
            return self.assumed_price_usd * pictures
        return known_usd


class Payer(NamedTuple):
    id: str
    limits: Limits


async def payer_of(connection: Connection, account_id: str, workflow_id: str, limits: Limits) -> Payer:
    """Who pays for a run that `account_id` starts there: of a guest's, the workflow's owner."""
    return _payer(await connection.fetchrow(_PAYER, account_id, workflow_id), limits)


async def payer_of_run(connection: Connection, run_id: str, limits: Limits) -> Payer:
    return _payer(await connection.fetchrow(_PAYER_OF_RUN, run_id), limits)


def _payer(row: asyncpg.Record | None, limits: Limits) -> Payer:
    assert row is not None  # accounts outlive their runs
    own = {
        "runs_per_day": row["runs_per_day"],
        "live_runs": row["live_runs"],
        "budget_usd": row["budget_usd_per_day"],
    }
    return Payer(row["id"], msgspec.structs.replace(limits, **{k: v for k, v in own.items() if v is not None}))


async def check_quotas(connection: Connection, payer: Payer, count: int) -> None:
    """Before `count` more are stored; other starts for the payer wait until it is over. Raises QuotaExceeded."""
    limits = payer.limits
    if limits.runs_per_day is None and limits.live_runs is None:
        return
    await connection.execute("SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE", payer.id)
    if limits.live_runs is not None:
        live = await connection.fetchval(_LIVE, payer.id)
        if live + count > limits.live_runs:
            raise QuotaExceeded(
                f"At most {limits.live_runs:,} runs wait or go on at a time; there are {live:,}. "
                "Wait for one to end, or cancel one.",
                limit=limits.live_runs,
                used=live,
            )
    if limits.runs_per_day is not None:
        started = await connection.fetchval(_TODAY, payer.id)
        if started + count > limits.runs_per_day:
            raise QuotaExceeded(
                f"At most {limits.runs_per_day:,} runs start in a day; there were {started:,}. "
                "The count begins anew at midnight UTC.",
                limit=limits.runs_per_day,
                used=started,
                retryAfter=_until_midnight_s(),
            )


def _until_midnight_s() -> int:
    now = datetime.now(UTC)
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    return int((midnight - now).total_seconds()) + 1


_COLUMNS = "payer.id, payer.runs_per_day, payer.live_runs, payer.budget_usd_per_day"
_PAYER = f"""
    SELECT {_COLUMNS} FROM accounts AS caller JOIN accounts AS payer ON payer.id = CASE caller.role WHEN 'guest'
      THEN coalesce((SELECT account_id FROM members WHERE workflow_id = $2 AND role = 'owner'), caller.id)
      ELSE caller.id END
    WHERE caller.id = $1"""
_PAYER_OF_RUN = f"""
    SELECT {_COLUMNS} FROM runs JOIN accounts AS payer ON payer.id = coalesce(payer_id, account_id)
    WHERE runs.id = $1"""
_LIVE = """
    SELECT count(*) FROM runs
    WHERE coalesce(payer_id, account_id) = $1 AND finished_at IS NULL AND status IN ('pending', 'running')"""
_TODAY = """
    SELECT count(*) FROM runs
    WHERE coalesce(payer_id, account_id) = $1 AND started_at >= date_trunc('day', now(), 'UTC')"""

"""What calls cost: estimated before, actual after, and what nobody knows kept apart."""

from __future__ import annotations

from canvas.store.postgres import Connection, Pool, reaching_the_database
from jobs.costs import GROUPINGS, Grouping, Usage
from jobs.errors import BudgetExceeded
from jobs.run import Cost

# For the SET of an UPDATE of `runs`: a call without a cost is one whose cost is not known.
COST = """cost_usd = (SELECT coalesce(sum(cost_usd), 0) FROM provider_calls WHERE run_id = runs.id),
      cost_unknown = EXISTS (SELECT FROM provider_calls WHERE run_id = runs.id AND cost_usd IS NULL)"""

CENT_PARTS = 1e-9  # what sums of floating cents may be off


async def check_budget(
    connection: Connection, payer_id: str, estimate_usd: float | None, budget_usd: float, *, besides: str = ""
) -> None:
    """In the transaction that reserves: other starts for the payer wait until it is over. Raises BudgetExceeded.

    `besides`: a run whose own reservation is what is being spent. What is free is never refused; of what has no known
    price, only the first that goes over is let through.
    """
    if estimate_usd == 0:
        return
    await connection.execute("SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE", payer_id)
    spent_usd: float = await connection.fetchval(_SPENT, payer_id, besides)
    room_usd = budget_usd - spent_usd + CENT_PARTS
    if (estimate_usd or 0) > room_usd or room_usd < 2 * CENT_PARTS:
        raise BudgetExceeded(
            f"Today's budget of ${budget_usd:.2f} is used up: ${spent_usd:.2f} are spent or reserved. "
            "It begins anew at midnight UTC; whoever keeps this Easel can raise it.",
            budgetUsd=budget_usd,
            spentUsd=round(spent_usd, 4),
        )


class CostStore:
    def __init__(self, database: Pool) -> None:
        self._database = database

    async def usage(self, account_id: str, group_by: tuple[Grouping, ...]) -> list[Usage]:
        """The calls that the account pays for, by any of provider, model and day (UTC)."""
        columns = [_COLUMNS[one] if one in group_by else "NULL" for one in GROUPINGS]
        groups = ", ".join(_COLUMNS[one] for one in group_by)
        query = _USAGE.format(*columns, groups=f"GROUP BY {groups} ORDER BY {groups}" if groups else "")
        async with reaching_the_database():
            rows = await self._database.fetch(query, account_id)
        return [
            Usage(
                runs=row["runs"],
                images=row["images"],
                cost=Cost(row["unknown_runs"] > 0, row["estimated"], row["actual"]),
                unknown_runs=row["unknown_runs"],
                provider=row["provider"],
                model=row["model"],
                day=row["day"],
            )
            for row in rows
        ]


_COLUMNS = {
    "provider": "calls.provider",
    "model": "calls.model",
    "day": "(calls.sent_at AT TIME ZONE 'UTC')::date",
}
# What has a cost counts with it, what has none with its estimate; a live run has reserved what it has not sent yet.
# A call of today belongs to a run that had not ended when today began.
_SPENT = """
    WITH today AS MATERIALIZED (
      SELECT id, status, estimate_usd FROM runs
      WHERE coalesce(payer_id, account_id) = $1
        AND (finished_at IS NULL OR finished_at >= date_trunc('day', now(), 'UTC')))
    SELECT coalesce((
      SELECT sum(coalesce(calls.cost_usd, calls.estimate_usd, 0))
      FROM today JOIN provider_calls AS calls ON calls.run_id = today.id
      WHERE calls.sent_at >= date_trunc('day', now(), 'UTC')), 0)
    + coalesce((
      SELECT sum(greatest(0, estimate_usd - (
        SELECT coalesce(sum(coalesce(cost_usd, estimate_usd, 0)), 0) FROM provider_calls WHERE run_id = today.id)))
      FROM today WHERE status IN ('pending', 'running') AND id <> $2), 0)"""
_USAGE = """
    SELECT {0} AS provider, {1} AS model, {2} AS day, count(DISTINCT runs.id) AS runs,
      coalesce(sum(calls.pictures), 0) AS images, sum(calls.estimate_usd) AS estimated, sum(calls.cost_usd) AS actual,
      count(DISTINCT runs.id) FILTER (WHERE calls.cost_usd IS NULL) AS unknown_runs
    FROM provider_calls AS calls JOIN runs ON runs.id = calls.run_id
    WHERE coalesce(runs.payer_id, runs.account_id) = $1 {groups}"""

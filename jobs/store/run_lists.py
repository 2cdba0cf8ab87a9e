"""Lists of runs, newest first, at a cost that grows with the page and hardly with what there is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from canvas.store.postgres import Pool, reaching_the_database
from jobs.run import Run, Status
from jobs.store.rows import run_of

RECENT = 500
"""How many of the newest runs of everybody are looked through before the account's workflows are asked one by one."""


class Wanted(msgspec.Struct, frozen=True):
    """Which runs; None: whatever it is."""

    workflow_id: str | None = None
    node_id: str | None = None
    status: Status | None = None
    provider: str | None = None
    dead: bool | None = None
    before: tuple[datetime, str] | None = None
    """Older than this `started_at` and id."""
    started_by: str | None = None
    """The account."""


async def visible_to(database: Pool, account_id: str, wanted: Wanted, limit: int) -> list[Run]:
    """Runs of the workflows where the account is a member, newest first. Raises Unavailable."""
    async with reaching_the_database():
        if wanted.workflow_id is None:
            query, values = recent(account_id, wanted, limit)
            rows = await database.fetch(query, *values)
            found = [row for row in rows if row["id"] is not None]
            if len(found) == limit or not rows[0]["is_cut"]:
                return [run_of(row) for row in found]
        query, values = of_each_workflow(account_id, wanted, limit)
        return [run_of(row) for row in await database.fetch(query, *values)]


class _Query:
    """Only the conditions that are asked for are in the text: a plan for every case is a plan for the worst one."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def where(self, *conditions: tuple[str, Any]) -> str:
        """Of the conditions whose value is not None; `{}` stands for it."""
        parts = ["true"]
        for condition, value in conditions:
            if value is not None:
                self.values.append(value)
                parts.append(condition.format(f"${len(self.values)}"))
        return " AND ".join(parts)

    def before(self, wanted: Wanted) -> str:
        if wanted.before is None:
            return "true"
        self.values += wanted.before
        return f"(started_at, id) < (${len(self.values) - 1}, ${len(self.values)}::text)"


def recent(account_id: str, wanted: Wanted, limit: int) -> tuple[str, list[Any]]:
    """Among the newest of everybody, found by an index. `is_cut`: there are more than were looked through.

    Whoever sees most of what goes on, as the people of one team do, has the page with that.
    """
    query = _Query(account_id, limit)
    inner = f"{query.where(('status = {}', wanted.status))} AND {_dead(wanted)} AND {query.before(wanted)}"
    outer = query.where(
        ("provider = {}", wanted.provider), ("node_id = {}", wanted.node_id), ("account_id = {}", wanted.started_by)
    )
    return (
        f"""
        WITH recent AS MATERIALIZED (
          SELECT * FROM runs WHERE {inner} ORDER BY started_at DESC, id DESC LIMIT {RECENT}
        ), visible AS (
          SELECT * FROM recent WHERE {outer}
            AND EXISTS (SELECT FROM workflow_roles WHERE workflow_id = subject_id AND account_id = $1)
          ORDER BY started_at DESC, id DESC LIMIT $2
        )
        SELECT visible.*, is_cut FROM (SELECT count(*) = {RECENT} AS is_cut FROM recent) AS looked
        LEFT JOIN visible ON true ORDER BY started_at DESC, visible.id DESC""",
        query.values,
    )


def of_each_workflow(account_id: str, wanted: Wanted, limit: int) -> tuple[str, list[Any]]:
    """One step down an index per workflow, and a walk down those of a page's workflows alone: the page's runs are of
    those whose newest is newest."""
    query = _Query(account_id, limit)
    named = query.where(("mine.workflow_id = {}", wanted.workflow_id))
    others = query.where(
        ("status = {}", wanted.status),
        ("provider = {}", wanted.provider),
        ("node_id = {}", wanted.node_id),
        ("runs.account_id = {}", wanted.started_by),
    )
    asked = f"{others} AND {_dead(wanted)} AND {query.before(wanted)}"
    return (
        f"""
        WITH heads AS (
          SELECT mine.workflow_id FROM workflow_roles AS mine CROSS JOIN LATERAL (
            SELECT started_at, id FROM runs WHERE subject_id = mine.workflow_id AND {asked}
            ORDER BY started_at DESC, id DESC LIMIT 1) AS newest
          WHERE mine.account_id = $1 AND {named}
          ORDER BY newest.started_at DESC, newest.id DESC LIMIT $2
        ), page AS (
          SELECT candidates.id FROM heads CROSS JOIN LATERAL (
            SELECT started_at, id FROM runs WHERE subject_id = heads.workflow_id AND {asked}
            ORDER BY started_at DESC, id DESC LIMIT $2) AS candidates
          ORDER BY candidates.started_at DESC, candidates.id DESC LIMIT $2
        )
        SELECT runs.* FROM page JOIN runs USING (id) ORDER BY started_at DESC, runs.id DESC""",
        query.values,
    )


def _dead(wanted: Wanted) -> str:
    """Spelled out: an index holds the dead alone."""
    return {True: "is_dead", False: "NOT is_dead", None: "true"}[wanted.dead]

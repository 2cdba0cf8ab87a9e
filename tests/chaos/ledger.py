"""What a run has left behind, everywhere: its row, events, orders, pictures, bytes, node; and whether that is right."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from jobs.objects.store import open_objects
from jobs.store.objects import ObjectRows
from jobs.sweep import Sweep
from tests.chaos.installation import Installation

ENDED = ("completed", "failed", "cancelled")
SIZES = 3  # beside each original


class Left(msgspec.Struct, frozen=True):
    status: str
    code: str | None
    """Of its error."""
    orders: list[str]
    """The states of its orders."""
    accepted: int
    """How many of them its provider has accepted."""


async def until_ended(site: Installation, runs: set[str], within_s: float, or_at: Set[str] = frozenset()) -> None:
    """`or_at`: those that need not, and may become more meanwhile."""
    async with asyncio.timeout(within_s):
        while await site.fetch(_LIVE, list(runs - or_at)):  # noqa: ASYNC110 - other processes decide
            await asyncio.sleep(0.1)


async def until_untold(site: Installation, within_s: float) -> None:
    """Everything that was to be told to providers about runs that have ended is told."""
    async with asyncio.timeout(within_s):
        while await site.fetch(_OPEN):  # noqa: ASYNC110 - other processes decide
            await asyncio.sleep(0.1)


async def check(site: Installation, folder: Path, run_id: str, accepted: int) -> Left:
    """Raises AssertionError for a run that left too much, or too little."""
    [run] = await site.fetch(_RUN, run_id)
    orders = [row["state"] for row in await site.fetch(_ORDERS, run_id)]
    left = Left(run["status"], run["code"], orders, accepted)
    renders = await site.fetch("SELECT object_key FROM renders WHERE run_id = $1", run_id)
    variants = await site.fetch(_VARIANTS, run_id)
    keys = [row["object_key"] for row in (*renders, *variants)]
    assert run["status"] in ENDED, left
    came_late = run["code"] == "OUTCOME_UNKNOWN" and "kept" in orders  # JB35
    has_picture = run["status"] == "completed" or came_late
    assert (len(renders), len(variants)) == ((1, SIZES) if has_picture else (0, 0)), (left, keys)
    assert len(await site.fetch("SELECT FROM objects WHERE key = ANY($1::text[])", keys)) == len(set(keys)), left
    missing = [key for key in keys if not (folder / key).is_file()]
    assert not missing, (left, missing)
    assert set(orders) <= {"kept", "failed", "unknown", "cancelled"}, left
    await _check_events(site, run_id, run["status"])
    if run["status"] == "completed":
        assert (run["node_status"], run["node_job"]) == ("completed", run_id), (left, run)
        assert run["node_image"] == f"/objects/{renders[0]['object_key']}", (left, run, keys)
    return left


async def _check_events(site: Installation, run_id: str, status: str) -> None:
    events = await site.fetch("SELECT seq, kind, payload FROM run_events WHERE run_id = $1 ORDER BY seq", run_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), events
    ends = [event["seq"] for event in events if event["kind"] == "status" and _data(event).get("status") in ENDED]
    assert ends == [len(events)], "a run ends once, and nothing comes after it"
    assert _data(events[-1])["status"] == status


def _data(event: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.json.decode(event["payload"]).get("data") or {}
    return data


async def unnamed(site: Installation, folder: Path) -> set[str]:
    """Objects that no row names."""
    named = {row["key"] for row in await site.fetch("SELECT key FROM objects")}
    return files(folder) - named


async def swept(site: Installation, folder: Path) -> set[str]:
    """Objects that no row names after the sweep, two days from now (OB4). Raises AssertionError for a lost picture."""
    async with asyncpg.create_pool(site.database_url, min_size=1, max_size=2) as pool:
        sweep = Sweep(open_objects(str(folder)), ObjectRows(pool), lambda: datetime.now(UTC) + timedelta(days=2))
        stock = await sweep.look()
        await sweep.delete(stock.unnamed)
    assert (stock.missing, stock.unused) == ([], []), stock
    return await unnamed(site, folder)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


_LIVE = "SELECT id FROM runs WHERE id = ANY($1::text[]) AND finished_at IS NULL"
_OPEN = "SELECT id FROM provider_calls WHERE state IN ('sending', 'accepted')"
_RUN = """
    SELECT runs.status, runs.error->>'code' AS code, nodes.node_data->>'status' AS node_status,
      nodes.node_data->>'jobId' AS node_job, nodes.node_data->>'imageUrl' AS node_image
    FROM runs JOIN workflow_nodes AS nodes ON (nodes.workflow_id, nodes.id) = (runs.subject_id, runs.node_id)
    WHERE runs.id = $1"""
_ORDERS = "SELECT state FROM provider_calls WHERE run_id = $1 ORDER BY number, attempt"
_VARIANTS = """
    SELECT render_variants.object_key FROM render_variants JOIN renders ON renders.id = render_id
    WHERE renders.run_id = $1"""

"""The lists and look-ups that run all day, at 20 000 rows (the soak: 100 000): none of them reads a whole table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.pages import Place
from jobs.renders import RenderFilter
from jobs.store import (
    batch_places,
    batches,
    bells,
    calls,
    claims,
    costs,
    events,
    imports,
    late_orders,
    late_variants,
    line,
    notices,
    objects,
    quotas,
    renders,
    run_lists,
    runs,
)
from jobs.store.run_lists import Wanted
from tests.jobs.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LONG_AGO = timedelta(seconds=10)
WANTED = (
    RenderFilter(),
    RenderFilter(workflow_id="w4"),
    RenderFilter(provider="local", model="m"),
    RenderFilter(is_favorite=True),
    RenderFilter(in_trash=True),
    RenderFilter(parent_id="p7"),
    RenderFilter(words=("unicorn7777",)),
    RenderFilter(words=("xy",)),
)
CROWD = (  # `rows` in each of the large tables; one in `rare` is not over yet
    """
    INSERT INTO accounts (id, name, color) SELECT 'a' || g, 'A', '#000' FROM generate_series(1, 100) g""",
    """
    INSERT INTO workflows (id, name, epoch) SELECT 'w' || g, 'W', 'e' FROM generate_series(1, 1000) g""",
    """
    INSERT INTO members (workflow_id, account_id, role, may_run)
    SELECT 'w' || g, 'a' || (g % 100 + 1), 'owner', true FROM generate_series(1, 1000) g""",
    """
    INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, started_at,
    finished_at)
    SELECT 'r' || g, 'w' || (g % 1000 + 1), 'n' || g, 'a' || (g % 100 + 1),
    CASE WHEN g % {rare} = 0 THEN 'pending' ELSE 'completed' END, 'local', 'local', 'm', '{{}}',
    now() - g * interval '1 min', CASE WHEN g % {rare} <> 0 THEN now() - g * interval '1 min' END
    FROM generate_series(1, {rows}) g""",
    """
    INSERT INTO run_events (run_id, seq, workflow_id, workflow_seq, kind, payload)
    SELECT 'r' || g, 1, 'w' || (g % 1000 + 1), g, 'status', '{{"message":""}}' FROM generate_series(1, {rows}) g""",
    """
    INSERT INTO objects (key, account_id, content_type, size_bytes, sha256)
    SELECT 'k' || g, 'a' || (g % 100 + 1), 'image/png', 1, '' FROM generate_series(1, {rows}) g""",
    """
    INSERT INTO renders (id, account_id, run_id, picture, workflow_id, node_id, object_key, width, height,
    content_type, prompt, provider, model, created_at)
    SELECT 'p' || g, 'a' || (g % 100 + 1), 'r' || g, 0, 'w' || (g % 1000 + 1), 'n', 'k' || g, 1, 1, 'image/png',
    'a watercolor unicorn' || g || ' in the snow', 'local', 'm', now() - g * interval '1 s'
    FROM generate_series(1, {rows}) g""",
    """
    INSERT INTO render_variants (render_id, kind, object_key, width, height, content_type)
    SELECT 'p' || g, 'icon', 'k' || g, 1, 1, 'image/webp' FROM generate_series(1, {rows}) g""",
    """
    INSERT INTO provider_calls (id, run_id, number, attempt, provider, model, credential, request_hash, state,
    sent_at) SELECT 'c' || g, 'r' || g, 0, 1, 'local', 'm', 'k', '', 'kept', now() - g * interval '1 s'
    FROM generate_series(1, {rows}) g""",
    """
    INSERT INTO failure_webhooks (id, account_id, url, secret) SELECT 'a' || g, 'a' || g, 'https://x', 's'
    FROM generate_series(1, 100) g""",
    """
    INSERT INTO notices (id, webhook_id, run_id, created_at, due_at, delivered_at, is_dead)
    SELECT 't' || g, 'a' || (g % 100 + 1), 'r' || g, now() - g * interval '1 s',
      CASE WHEN g % {rare} = 0 THEN now() END, CASE WHEN g % 10 <> 0 THEN now() END, g % 1000 = 10
    FROM generate_series(1, {rows}) g""",
)
LARGE = ("runs", "provider_calls", "run_events", "renders", "render_variants", "objects", "notices")


@pytest.fixture(params=[20_000, pytest.param(100_000, marks=pytest.mark.soak)])
async def crowded(world: World, request: pytest.FixtureRequest) -> World:
    for statement in CROWD:  # each committed and counted: what checks references must not plan for an empty table
        await world.database.execute(statement.format(rows=request.param, rare=request.param // 10))
        await world.database.execute("ANALYZE")
    return world


def listing(wanted: RenderFilter, before: Place | None = None) -> tuple[str, tuple[Any, ...]]:
    query, values = renders.list_query("a5", wanted, before, 50)
    return query, tuple(values)


LISTED = (
    Wanted(status="failed"),
    Wanted(dead=True),
    Wanted(started_by="a5"),
    Wanted(before=(NOW, "r9")),
    Wanted(node_id="n3", status="completed", provider="local", before=(NOW, "r9"), dead=False),
)


def built(query: tuple[str, list[Any]]) -> tuple[str, tuple[Any, ...]]:
    return query[0], tuple(query[1])


async def test_no_list_reads_a_whole_table(crowded: World) -> None:
    """MR1"""
    queries: list[tuple[str, tuple[Any, ...]]] = [
        *(built(run_lists.recent("a5", wanted, 50)) for wanted in LISTED),
        *(built(run_lists.of_each_workflow("a5", wanted, 50)) for wanted in (Wanted(), Wanted("w4"), *LISTED)),
        (runs._DEAD, (50,)),
        (imports._STORED, ("a5", b"x", "d7")),
        (imports._HAS_RUN, ("w7", "n6")),
        (imports._ITEMS, ("batch7",)),
        (imports._CLAIM, ("batch7", 3, LONG_AGO)),
        (runs._UNFILLED, ()),
        (runs._LIVE_OF_BATCH, ("batch7", "w7")),
        (batches._RUNS, ("batch7",)),
        (batch_places._LET_GO, ("batch7", 3, "runs")),
        (batch_places._FINISH, ("batch7",)),
        (claims._LAPSED, ("w1", LONG_AGO)),
        (line._WAITING, (1000, 102)),
        (calls._OF_RUN, ("r7",)),
        (calls._LEFT_OPEN, (50,)),
        (late_orders._TAKE, (4, LONG_AGO)),
        (late_orders._NEXT_PICTURE, ("r7",)),
        (late_variants._TAKE, (LONG_AGO,)),
        (costs._SPENT, ("a5", "")),
        (quotas._LIVE, ("a5",)),
        (quotas._TODAY, ("a5",)),
        (quotas._PAYER_OF_RUN, ("r7",)),
        (renders._SHOWN, ("k7", "a5")),
        (runs._LIVE_OF_WORKFLOW, ("w7",)),
        (runs._LIVE_ON_NODE, ("w7", "n6")),
        (bells._LOST, (LONG_AGO, 200)),
        (bells._WAITING, ("runs", 200)),
        (events._OF_RUN, ("r7", 0, 500)),
        (events._OF_WORKFLOW, ("w7", 0, 500)),
        (events._IS_OVER, ("r7", 1)),
        (events._RETIRE, (30, 100)),
        (notices._TAKE, (32, 4, LONG_AGO, None, ["a1"])),
        (notices._RUNS, (["r7", "r8"],)),
        (notices._LIST, ("a5", None, None, None, 50)),
        (notices._LIST, ("a5", "dead", NOW, "t9", 50)),
        (notices._DEAD, (50,)),
        *(listing(wanted, before) for wanted in WANTED for before in (None, Place(NOW, "p9"))),
        (renders._CHANGE, (["p1"], "a5", True, None)),
        (renders._EXPIRED, (30, 200)),
        (renders._KEYS, (["p1", "p2"],)),
        (renders._UNNAMED, (["k1", "k2"],)),
        (renders._VARIANTS, (["p1", "p2"],)),
        (renders._OBJECT, ("k7",)),
        (objects._PAGE, ("k7", 1000)),
        (objects._UNNAMED, (["k7", "x"], ["a5", "a6"])),
        (objects._SHOWN, (["k7", "k8"],)),
        (objects._FORGET, (["k7", "k8"],)),
    ]

    for query, arguments in queries:
        plan = "\n".join(row[0] for row in await crowded.database.fetch("EXPLAIN " + query, *arguments))
        assert not [table for table in LARGE if f"Seq Scan on {table}" in plan], f"{query}\n{plan}"

    # And nothing is read through for a word that is in few prompts, not even the account that has them all (MR1).
    await crowded.database.execute("UPDATE renders SET account_id = 'a5'; ANALYZE renders")
    query, arguments = listing(RenderFilter(words=("unicorn7777", "snow")))
    plan = "\n".join(row[0] for row in await crowded.database.fetch("EXPLAIN ANALYZE " + query, *arguments))
    assert "Bitmap Index Scan on renders_prompt" in plan, plan

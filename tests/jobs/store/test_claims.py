"""Whose turn it is."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from jobs.store import claims
from tests.jobs.world import World

pytestmark = pytest.mark.anyio

_LINE = """
    INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, payload,
      started_at, run_after)
    SELECT $1 || g, 'wf', $1 || g, $1, 'pending', $3, $3, 'm',
      '{"nodeId":"n","workflowId":"wf","promptSpec":{"basePrompt":"a"},"provider":"local"}', '{"salt":"s"}',
      now() - interval '1 h' + g * interval '1 s', now() - interval '1 h' + g * interval '1 s'
    FROM generate_series(1, $2::int) g"""


async def line_up(world: World, account: str, runs: int, provider: str = "local") -> None:
    await world.database.execute(
        "INSERT INTO accounts (id, name, color) VALUES ($1, $1, '#000') ON CONFLICT DO NOTHING", account
    )
    await world.database.execute(_LINE, account, runs, provider)


async def next_account(world: World, places: dict[str, int] | None = None) -> str | None:
    claim = await world.claims.claim("w1", 15, places)
    return claim.run.account_id if claim else None


async def test_a_single_run_does_not_wait_behind_five_hundred_of_another(world: World) -> None:
    """JB26"""
    await line_up(world, "many", 500)
    assert await next_account(world) == "many"
    await line_up(world, "one", 1)

    assert await next_account(world) == "one"


async def test_accounts_take_turns(world: World) -> None:
    """JB26"""
    for account in ("a", "b", "c"):
        await line_up(world, account, 50)

    turns = [await next_account(world) for _ in range(12)]

    for round_ in (turns[:3], turns[3:6], turns[6:9], turns[9:]):
        assert sorted(map(str, round_)) == ["a", "b", "c"]


async def test_who_was_served_longest_ago_goes_first(world: World) -> None:
    """JB26: with nothing under way, as on one slow worker, the line that began first would win each time"""
    await line_up(world, "older", 3)
    await line_up(world, "newer", 3)
    await world.database.execute("UPDATE runs SET run_after = run_after - interval '1 day' WHERE account_id = 'older'")
    turns = []
    for _ in range(4):
        turns.append(await next_account(world))
        await world.database.execute("UPDATE runs SET status = 'completed' WHERE status = 'running'")

    assert turns == ["older", "newer", "older", "newer"]


async def test_who_has_fewest_under_way_goes_before_who_was_served_longest_ago(world: World) -> None:
    """JB26: else long runs would add up to more than a share"""
    await line_up(world, "long", 5)
    assert [await next_account(world) for _ in range(3)] == ["long"] * 3
    await line_up(world, "short", 5)
    assert await next_account(world) == "short"
    await world.database.execute("UPDATE runs SET status = 'completed' WHERE status = 'running' AND id = 'short1'")

    assert await next_account(world) == "short"


async def test_of_one_account_the_oldest_goes_first(world: World) -> None:
    """JB26"""
    await line_up(world, "a", 3)

    claimed = [await world.claims.claim("w1", 15) for _ in range(3)]

    assert [claim and claim.run.id for claim in claimed] == ["a1", "a2", "a3"]


async def test_workers_that_ask_at_once_get_different_runs_fairly(world: World) -> None:
    """JB26, JB4"""
    for account in ("a", "b"):
        await line_up(world, account, 20)

    taken = await asyncio.gather(*(world.claims.claim(f"w{number}", 15) for number in range(8)))

    runs = [claim.run for claim in taken if claim is not None]
    assert len({run.id for run in runs}) == 8
    assert Counter(run.account_id for run in runs) == {"a": 4, "b": 4}


async def test_a_provider_carries_no_more_runs_than_it_has_places(world: World) -> None:
    """JB26"""
    await line_up(world, "a", 5, "local")
    await line_up(world, "b", 1, "comfyui")

    taken = [await world.claims.claim("w1", 15, {"local": 2}) for _ in range(4)]

    assert sorted(claim.run.id for claim in taken if claim is not None) == ["a1", "a2", "b1"]


async def test_what_is_not_due_is_passed_over_and_what_lost_its_worker_goes_first(world: World) -> None:
    """JB26, JB28"""
    await line_up(world, "a", 3)
    first = await world.claims.claim("w1", 15)
    await world.database.execute("UPDATE runs SET run_after = now() + interval '1 h' WHERE id = 'a2'")
    await world.let_lease_run_out("a1")

    assert first is not None
    taken = [await world.claims.claim("w2", 15) for _ in range(3)]

    assert [claim and claim.run.id for claim in taken] == ["a1", "a3", None]


async def test_a_worker_that_dies_while_it_begins_is_followed_by_another(world: World) -> None:
    """JB4"""
    record = await world.start()
    assert await world.claims._reserve("w1", timedelta(seconds=15), {}) is not None
    assert await world.claims.claim("w2", 15) is None
    assert (await world.runs.get(record.job_id)).status == "pending"

    await world.let_lease_run_out(record.job_id)

    claim = await world.claims.claim("w2", 15)
    assert claim is not None
    assert (claim.run.attempt, claim.is_takeover) == (1, False)


async def test_ten_thousand_waiting_runs_of_fifty_accounts_cost_no_more_than_their_heads(world: World) -> None:
    """JB26"""
    for number in range(50):
        await line_up(world, f"account{number:02}", 200, ("local", "openai")[number % 2])
    await world.database.execute("""
        INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, finished_at)
          SELECT 'done' || g, 'wf', 'n', 'account' || lpad((g % 50)::text, 2, '0'), 'completed', 'local', 'local', 'm',
            '{}', now() FROM generate_series(1, 100000) g;
        ANALYZE runs""")
    arguments: tuple[Any, ...] = ("w1", timedelta(seconds=15), ["openai"], [40])

    rows = await world.database.fetch("EXPLAIN (ANALYZE, BUFFERS) " + claims._FAIREST, *arguments)

    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan on runs" not in plan, plan
    started = time.perf_counter()
    for _ in range(20):
        assert await world.claims._reserve("w1", timedelta(seconds=15), {}) is not None
    each_ms = (time.perf_counter() - started) / 20 * 1000
    print(f"a claim among 10 000: {each_ms:.1f} ms\n{rows[-1][0]}")
    assert each_ms < 100, "it has begun to grow with the line"

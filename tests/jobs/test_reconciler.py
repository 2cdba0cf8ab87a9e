from __future__ import annotations

import asyncio

import pytest

from jobs import reconciler
from jobs.queue import ArqDoorbell, answer_bells
from jobs.store.bells import LOCK
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


async def test_a_bell_that_still_hangs_is_left_alone(world: World) -> None:
    """JB14"""
    await world.start()

    assert await world.bells.find_lost(lost_after_s=0) == 0
    assert await world.count("outbox") == 0
    assert await world.redis.zcard("easel:runs") == 1


async def test_a_pending_run_whose_bell_is_gone_is_rung_again_once_it_is_old(world: World) -> None:
    """JB14"""
    await world.start()
    await world.redis.flushdb()

    assert await world.bells.find_lost(lost_after_s=10) == 0
    await world.database.execute("UPDATE runs SET rung_at = now() - interval '11 s'")
    assert await world.bells.find_lost(lost_after_s=10) == 1
    assert await world.bells.find_lost(lost_after_s=10) == 0  # it waits in the outbox now
    assert await world.bells.ring() == 1
    assert await world.redis.zcard("easel:runs") == 1


async def test_a_run_whose_lease_ran_out_is_rung_at_once_and_then_with_patience(world: World) -> None:
    """JB7, JB14"""
    await world.start()
    await world.redis.flushdb()
    await world.claims.claim("w1", 15)
    assert await world.bells.find_lost() == 0
    await world.database.execute(
        "UPDATE runs SET rung_at = now() - interval '2 s', lease_until = now() - interval '1 s'"
    )

    assert await world.bells.find_lost() == 1
    await world.bells.ring()
    await world.redis.flushdb()
    assert await world.bells.find_lost() == 0


async def test_one_reconciler_at_a_time(world: World) -> None:
    """JB14"""
    await world.start()
    await world.redis.flushdb()

    async with world.database.acquire() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        assert await world.bells.find_lost(lost_after_s=0) == 0

    assert await world.bells.find_lost(lost_after_s=0) == 1


async def test_several_servers_empty_the_outbox_without_ringing_twice(world: World) -> None:
    """JB2, JB11"""
    await world.start()
    await world.start(node="n2")
    runs = await world.database.fetch("SELECT id FROM runs")
    await world.redis.flushdb()
    await world.database.execute("INSERT INTO outbox (run_id, doorbell) SELECT id, 'runs' FROM runs")

    rung = await asyncio.gather(*(world.bells.ring() for _ in range(4)))

    assert sum(rung) == len(runs) == await world.redis.zcard("easel:runs")


async def test_a_worker_killed_mid_run_is_followed_by_another_that_finishes_it_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JB7, JB13, JB14: a whole worker, its loops and its queue, ends without giving anything back"""
    monkeypatch.setattr(reconciler, "RECONCILE_EVERY_S", 0.02)
    world.provider.script = world.provider.wait_and_draw
    record = await world.start()
    await world.claims.claim("killed", 0.05)

    stopping = asyncio.Event()
    loops = [
        asyncio.create_task(reconciler.keep_reconciling(world.bells)),
        asyncio.create_task(reconciler.keep_ringing(world.bells)),
        asyncio.create_task(
            answer_bells(world.redis, world.runner("w2").carry, concurrency=2, stopping=stopping, grace_s=1)
        ),
    ]
    await world.provider.started.wait()
    world.provider.go_on.set()
    await world.until_status(record.job_id, "completed")
    stopping.set()
    await loops.pop()
    for loop in loops:
        loop.cancel()

    assert (await world.runs.get(record.job_id)).attempt == 1
    assert (await world.count("renders"), len(world.files())) == (1, 4)


async def test_the_loops_outlive_a_queue_that_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """JB11, JB14"""
    from redis.asyncio import Redis

    from jobs.store.bells import BellStore

    monkeypatch.setattr(reconciler, "RING_EVERY_S", 0.01)
    bells = BellStore(world.database, ArqDoorbell(Redis(unix_socket_path="/nowhere/redis.sock")))
    tried = asyncio.Event()
    tries = 0

    async def ring() -> int:
        nonlocal tries
        tries += 1
        if tries == 3:
            tried.set()
        return await BellStore.ring(bells)

    monkeypatch.setattr(bells, "ring", ring)
    await world.start()
    await world.database.execute("INSERT INTO outbox (run_id, doorbell) SELECT id, 'runs' FROM runs")

    loop = asyncio.create_task(reconciler.keep_ringing(bells))
    await tried.wait()
    loop.cancel()

    assert await world.count("outbox") == 1

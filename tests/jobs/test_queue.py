from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from canvas.errors import Unavailable
from jobs.queue import HEALTH_KEY, QUEUE, ArqDoorbell, answer_bells, workers_alive
from jobs.store.bells import BATCH, Bell
from tests.jobs.world import World

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def answering(
    redis: Redis, carry: Callable[[str], Awaitable[bool]], concurrency: int = 4, grace_s: float = 1.0
) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    task = asyncio.create_task(answer_bells(redis, carry, concurrency=concurrency, stopping=stopping, grace_s=grace_s))
    try:
        yield stopping
    finally:
        stopping.set()
        await task


class Carrier:
    """Writes down what it was asked to carry, and holds it until told to go on."""

    def __init__(self, *, waits: bool = False) -> None:
        self.carried: list[str] = []
        self.stopped: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.go_on = asyncio.Event()
        self.changed = asyncio.Condition()
        if not waits:
            self.go_on.set()

    async def __call__(self, run_id: str) -> bool:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        async with self.changed:
            self.carried.append(run_id)
            self.changed.notify_all()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.stopped.append(run_id)
            raise
        finally:
            self.at_once -= 1
        return False

    async def has_carried(self, count: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.carried) >= count)


async def test_a_bell_reaches_a_worker(redis: Redis) -> None:
    carrier = Carrier()

    async with answering(redis, carrier):
        await ArqDoorbell(redis).ring([Bell("run_1", 1)])
        await carrier.has_carried(1)

    assert carrier.carried == ["run_1"]
    assert await redis.zcard(QUEUE) == 0


async def test_a_new_ring_of_the_same_run_is_a_new_bell_and_the_same_ring_is_not(redis: Redis) -> None:
    """JB13"""
    doorbell, carrier = ArqDoorbell(redis), Carrier()
    await doorbell.ring([Bell("run_1", 1), Bell("run_1", 1), Bell("run_1", 2), Bell("run_2", 1)])

    async with answering(redis, carrier):
        await carrier.has_carried(3)

    assert sorted(carrier.carried) == ["run_1", "run_1", "run_2"]


async def test_a_whole_batch_hangs_and_ringing_it_once_more_changes_nothing(redis: Redis) -> None:
    """JB11"""
    bells = [Bell(f"run_{number}", 1) for number in range(BATCH)]
    doorbell = ArqDoorbell(redis)
    await doorbell.ring(bells)
    places = await redis.zrange(QUEUE, 0, -1, withscores=True)

    await doorbell.ring(bells)

    assert len(places) == BATCH
    assert await redis.zrange(QUEUE, 0, -1, withscores=True) == places
    assert await doorbell.hanging(bells) == set(bells)


async def test_an_answered_bell_leaves_the_queue_while_its_run_goes_on(redis: Redis) -> None:
    """JB12"""
    carrier = Carrier(waits=True)
    doorbell = ArqDoorbell(redis)
    bells = [Bell(f"run_{number}", 1) for number in range(3)]

    async with answering(redis, carrier, concurrency=2):
        await doorbell.ring(bells)
        await carrier.has_carried(2)
        left = await doorbell.hanging(bells)
        carrier.go_on.set()
        await carrier.has_carried(3)

    assert len(left) == 1
    assert carrier.most_at_once == 2


async def test_a_bell_that_a_dead_worker_had_taken_does_not_count_as_hanging(redis: Redis) -> None:
    """JB13, JB14"""
    doorbell = ArqDoorbell(redis)
    await doorbell.ring([Bell("run_1", 1), Bell("run_2", 1)])

    await redis.set("arq:in-progress:run_2:1", b"1")

    assert await doorbell.hanging([Bell("run_1", 1), Bell("run_2", 1), Bell("run_3", 1)]) == {Bell("run_1", 1)}


async def test_a_worker_that_stops_lets_runs_end_within_the_grace_and_stops_the_rest(redis: Redis) -> None:
    """JB15"""
    short, long = Carrier(waits=True), Carrier(waits=True)

    async def carry(run_id: str) -> bool:
        return await (short if run_id == "short" else long)(run_id)

    async with answering(redis, carry, grace_s=0.3) as stopping:
        await ArqDoorbell(redis).ring([Bell("short", 1), Bell("long", 1)])
        await asyncio.gather(short.has_carried(1), long.has_carried(1))
        stopping.set()
        short.go_on.set()

    assert (short.stopped, long.stopped) == ([], ["long"])


async def test_a_carry_that_fails_ends_nothing_else(redis: Redis) -> None:
    """JB15"""
    carrier = Carrier()

    async def carry(run_id: str) -> bool:
        if run_id == "bad":
            raise ZeroDivisionError
        return await carrier(run_id)

    async with answering(redis, carry):
        await ArqDoorbell(redis).ring([Bell("bad", 1), Bell("good", 1)])
        await carrier.has_carried(1)


async def test_workers_show_that_they_are_alive(redis: Redis) -> None:
    assert not await workers_alive(redis)
    carrier = Carrier()

    async with answering(redis, carrier):
        await ArqDoorbell(redis).ring([Bell("run_1", 1)])
        await carrier.has_carried(1)
        await ArqDoorbell(redis).ring([Bell("run_2", 1)])
        await carrier.has_carried(2)  # in a later round than the first, which ended with a sign of life
        assert await workers_alive(redis)

    assert 0 < await redis.pttl(HEALTH_KEY) <= 6_000


async def test_a_redis_that_comes_back_is_answered_again_and_runs_went_on(redis: Redis) -> None:
    """JB15"""
    carrier = Carrier(waits=True)

    async with answering(redis, carrier):
        await ArqDoorbell(redis).ring([Bell("run_1", 1)])
        await carrier.has_carried(1)
        await redis.client_kill_filter(_type="normal", skipme=True)
        await redis.connection_pool.disconnect()
        await ArqDoorbell(redis).ring([Bell("run_2", 1)])
        await carrier.has_carried(2)
        assert carrier.stopped == []
        carrier.go_on.set()


async def test_without_redis_ringing_says_unavailable() -> None:
    """JB11"""
    doorbell = ArqDoorbell(Redis(unix_socket_path="/nowhere/redis.sock"))

    for question in (doorbell.ring([Bell("run_1", 1)]), doorbell.hanging([Bell("run_1", 1)])):
        with pytest.raises(Unavailable):
            await question


async def test_flushall_in_the_middle_loses_no_run(world: World) -> None:
    """JB14"""
    world.provider.script = world.provider.wait_and_draw
    under_way = await world.start()
    waiting = await world.start(node="n2")
    carried = asyncio.create_task(world.runner().carry(under_way.job_id))
    await world.provider.started.wait()

    await world.redis.flushdb()
    world.provider.go_on.set()
    await carried
    assert await world.bells.find_lost(lost_after_s=0) == 1
    async with answering(world.redis, world.runner("w2").carry):
        await world.bells.ring()
        await world.until_status(waiting.job_id, "completed")

    assert (await world.runs.get(under_way.job_id)).status == "completed"
    assert await world.count("renders") == 2

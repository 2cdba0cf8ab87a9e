"""The gate: the same rules in memory and in Redis, and what is left of them while Redis is away."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from structlog.testing import capture_logs

from jobs.gate.memory import MemoryGate
from jobs.gate.port import FULL_S, PLACE_S, Gate, allowance
from jobs.gate.redis import RedisGate
from jobs.providers.port import Limits

pytestmark = pytest.mark.anyio

KEY, OTHER_KEY = "0123456789ab", "ba9876543210"
TWO_PLACES = Limits(concurrency=2)
FIVE_A_MINUTE = Limits(requests_per_minute=5)


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "redis"])
def gate(request: pytest.FixtureRequest, clock: Clock) -> Gate:
    return MemoryGate(clock) if request.param == "memory" else RedisGate(request.getfixturevalue("redis"), clock)


async def test_concurrency_is_per_credential(gate: Gate) -> None:
    assert [await gate.enter(KEY, TWO_PLACES, order) for order in "abc"] == [0, 0, FULL_S]
    assert await gate.enter(OTHER_KEY, TWO_PLACES, "c") == 0


async def test_a_place_that_is_left_is_free(gate: Gate) -> None:
    for order in "ab":
        await gate.enter(KEY, TWO_PLACES, order)

    await gate.leave(KEY, "a")
    await gate.leave(KEY, "never inside")

    assert await gate.enter(KEY, TWO_PLACES, "c") == 0
    assert await gate.enter(KEY, TWO_PLACES, "d") == FULL_S


async def test_an_order_has_one_place_however_often_it_enters(gate: Gate) -> None:
    assert [await gate.enter(KEY, TWO_PLACES, order) for order in "aaabc"] == [0, 0, 0, 0, FULL_S]


async def test_a_dead_workers_place_comes_back(gate: Gate, clock: Clock) -> None:
    for order in "ab":
        await gate.enter(KEY, TWO_PLACES, order)
    clock.now += PLACE_S / 2
    await gate.hold(KEY, "a")
    clock.now += PLACE_S / 2

    assert await gate.enter(KEY, TWO_PLACES, "c") == 0, "b's worker told nothing for a minute"
    assert await gate.enter(KEY, TWO_PLACES, "d") == FULL_S, "a's did"


async def test_a_place_that_was_lost_is_taken_again(gate: Gate) -> None:
    for order in "xyz":
        await gate.hold(KEY, order)

    assert await gate.enter(KEY, TWO_PLACES, "a") == FULL_S
    await gate.leave(KEY, "x")
    assert await gate.enter(KEY, TWO_PLACES, "a") == FULL_S, "y and z are under way"


async def test_so_many_a_minute_and_the_wait_is_exact(gate: Gate, clock: Clock) -> None:
    waits = []
    for number in range(6):
        waits.append(await gate.enter(KEY, FIVE_A_MINUTE, f"order {number}"))
        clock.now += 2
    assert waits == [0, 0, 0, 0, 0, pytest.approx(50)]

    clock.now += 47.9
    assert await gate.enter(KEY, FIVE_A_MINUTE, "too early") > 0
    clock.now += 0.2
    assert await gate.enter(KEY, FIVE_A_MINUTE, "in time") == 0


async def test_less_than_one_a_minute(gate: Gate, clock: Clock) -> None:
    limits = Limits(requests_per_minute=0.5)

    assert await gate.enter(KEY, limits, "a") == 0
    assert await gate.enter(KEY, limits, "b") == pytest.approx(120)
    clock.now += 120.01
    assert await gate.enter(KEY, limits, "b") == 0


async def test_an_order_without_a_place_uses_nothing_of_the_rate(gate: Gate) -> None:
    limits = Limits(concurrency=1, requests_per_minute=2)
    await gate.enter(KEY, limits, "a")
    for _ in range(5):
        assert await gate.enter(KEY, limits, "b") == FULL_S

    await gate.leave(KEY, "a")

    assert await gate.enter(KEY, limits, "b") == 0


async def test_nobody_enters_during_a_penalty_and_the_longer_one_stays(gate: Gate, clock: Clock) -> None:
    await gate.penalise(KEY, 60)
    await gate.penalise(KEY, 5)

    assert await gate.enter(KEY, Limits(), "a") == pytest.approx(60)
    assert await gate.enter(OTHER_KEY, Limits(), "a") == 0
    clock.now += 60.01
    assert await gate.enter(KEY, Limits(), "a") == 0


async def test_a_refused_key_is_paused_until_it_is_resumed(gate: Gate, clock: Clock) -> None:
    assert await gate.paused(KEY) is None
    await gate.pause(KEY, "openai", "PROVIDER_AUTH")
    clock.now += 30 * 86_400

    assert await gate.paused(KEY) == "PROVIDER_AUTH"
    assert await gate.paused(OTHER_KEY) is None

    await gate.resume(KEY)
    assert await gate.paused(KEY) is None


async def test_a_used_up_quota_is_looked_at_again_after_a_while(gate: Gate, clock: Clock) -> None:
    await gate.pause(KEY, "openai", "PROVIDER_QUOTA")
    clock.now += 899
    assert await gate.paused(KEY) == "PROVIDER_QUOTA"

    clock.now += 2
    assert await gate.paused(KEY) is None


async def test_a_newer_pause_replaces_the_older_with_its_end(gate: Gate, clock: Clock) -> None:
    await gate.pause(KEY, "openai", "PROVIDER_QUOTA")
    await gate.pause(KEY, "openai", "PROVIDER_AUTH")
    clock.now += 1000

    assert await gate.paused(KEY) == "PROVIDER_AUTH"


Step = tuple[str, int, float]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["enter", "enter", "leave", "hold", "die"]), st.integers(0, 5), st.sampled_from([0, 0.1, 7, 31])
    ),
    max_size=60,
)


class Book:
    """What is inside and what entered when, kept apart from the gate."""

    def __init__(self) -> None:
        self.inside: dict[str, float] = {}
        self.entries: list[float] = []

    def alive(self, now: float) -> set[str]:
        return {order for order, until in self.inside.items() if until > now}


async def walk(gate: Gate, clock: Clock, limits: Limits, steps: list[Step]) -> None:
    book, count, window_s = Book(), *allowance(limits.requests_per_minute or 1)
    concurrency = limits.concurrency or 1
    for action, number, seconds in steps:
        clock.now += seconds
        order = f"order {number}"
        alive = book.alive(clock.now)
        if action == "enter":
            wait_s = await gate.enter(KEY, limits, order)
            recent = [at for at in book.entries if at > clock.now - window_s]
            may_enter = len(alive - {order}) < concurrency and len(recent) < count
            assert (wait_s == 0) == may_enter
            if may_enter:
                book.inside[order] = clock.now + PLACE_S
                book.entries.append(clock.now)
        elif action == "hold" and order in alive:
            await gate.hold(KEY, order)
            book.inside[order] = clock.now + PLACE_S
        elif action == "leave":
            await gate.leave(KEY, order)
            book.inside.pop(order, None)
    clock.now += PLACE_S + window_s  # whoever died without a word: no place is lost for ever
    for number in range(min(concurrency, count)):
        assert await gate.enter(KEY, limits, f"new {number}") == 0


@given(steps=STEPS, concurrency=st.integers(1, 4), rpm=st.sampled_from([0.5, 1, 3, 5.5]))
async def test_no_walk_of_orders_and_deaths_breaks_a_limit(steps: list[Step], concurrency: int, rpm: float) -> None:
    clock = Clock()

    await walk(MemoryGate(clock), clock, Limits(concurrency=concurrency, requests_per_minute=rpm), steps)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS, concurrency=st.integers(1, 4), rpm=st.sampled_from([0.5, 1, 3, 5.5]))
async def test_nor_does_one_in_redis(redis: Redis, steps: list[Step], concurrency: int, rpm: float) -> None:
    clock = Clock()
    await redis.flushdb()

    await walk(RedisGate(redis, clock), clock, Limits(concurrency=concurrency, requests_per_minute=rpm), steps)


# Redis


async def test_workers_share_the_gate(redis: Redis, redis_url: str) -> None:
    """Twenty at once through five gates of their own, by Redis' time: exactly as many enter as may."""
    clients = [Redis.from_url(redis_url) for _ in range(5)]
    limits = Limits(concurrency=3, requests_per_minute=100)
    gates = [RedisGate(client) for client in clients]

    waits = await asyncio.gather(*(gates[n % 5].enter(KEY, limits, f"order {n}") for n in range(20)))

    assert sorted(waits) == [0] * 3 + [FULL_S] * 17
    for client in clients:
        await client.aclose()


async def test_a_pause_of_one_worker_is_known_to_all(redis: Redis) -> None:
    one, another = RedisGate(redis), RedisGate(redis)

    await one.pause(KEY, "openai", "PROVIDER_AUTH")
    assert await another.paused(KEY) == "PROVIDER_AUTH"

    await another.resume(KEY)
    assert await one.paused(KEY) is None


async def test_an_emptied_redis_costs_exactness_and_nothing_else(redis: Redis) -> None:
    gate = RedisGate(redis)
    await gate.enter(KEY, TWO_PLACES, "a")
    await redis.flushall()
    await redis.script_flush()
    await gate.hold(KEY, "a")

    assert [await gate.enter(KEY, TWO_PLACES, order) for order in "bc"] == [0, FULL_S]


async def test_nothing_stays_in_redis_for_ever(redis: Redis) -> None:
    gate = RedisGate(redis)
    await gate.enter(KEY, Limits(concurrency=2, requests_per_minute=5), "a")
    await gate.penalise(KEY, 20)
    await gate.pause(KEY, "openai", "PROVIDER_QUOTA")

    keys = [key async for key in redis.scan_iter("easel:gate:*")]
    assert len(keys) == 4
    assert all([await redis.pttl(key) > 0 for key in keys])


class Switch:
    """A door to Redis that can be shut: a client with a connection that is there or is refused."""

    def __init__(self, url: str) -> None:
        self.client = Redis.from_url(url)
        self._pool = self.client.connection_pool
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self._nobody = Redis(port=unused.getsockname()[1])

    def shut(self) -> None:
        self.client.connection_pool = self._nobody.connection_pool

    def open(self) -> None:
        self.client.connection_pool = self._pool

    async def close(self) -> None:
        await self.client.aclose()
        await self._nobody.aclose()


@pytest.fixture
async def switch(redis: Redis, redis_url: str) -> Any:
    switch = Switch(redis_url)
    yield switch
    switch.open()
    await switch.close()


async def test_one_at_a_time_while_redis_is_away_and_it_is_said_once(switch: Switch) -> None:
    gate, limits = RedisGate(switch.client), Limits(concurrency=10)
    await gate.enter(KEY, limits, "a")

    switch.shut()
    with capture_logs() as logs:
        assert await gate.enter(KEY, limits, "b") == FULL_S, "a is under way in this process"
        await gate.leave(KEY, "a")
        assert [await gate.enter(KEY, limits, order) for order in "bc"] == [0, FULL_S]
        await gate.hold(KEY, "b")
    assert [line["event"] for line in logs] == ["gate.redis_away"]

    switch.open()
    with capture_logs() as logs:
        await gate.hold(KEY, "b")
        assert await gate.enter(KEY, limits, "c") == 0
    assert [line["event"] for line in logs] == ["gate.redis_back"]


async def test_penalties_and_pauses_hold_in_their_process_while_redis_is_away(switch: Switch) -> None:
    gate = RedisGate(switch.client)
    await gate.penalise(KEY, 60)
    await gate.pause(OTHER_KEY, "openai", "PROVIDER_AUTH")
    switch.shut()

    assert await gate.enter(KEY, Limits(), "a") == pytest.approx(60, abs=1)
    assert await gate.paused(OTHER_KEY) == "PROVIDER_AUTH"

    await gate.resume(OTHER_KEY)
    assert await gate.paused(OTHER_KEY) is None


async def test_what_was_resumed_elsewhere_is_not_paused_when_redis_goes_away(switch: Switch, redis: Redis) -> None:
    gate = RedisGate(switch.client)
    await gate.pause(KEY, "openai", "PROVIDER_AUTH")
    await RedisGate(redis).resume(KEY)
    assert await gate.paused(KEY) is None

    switch.shut()
    assert await gate.paused(KEY) is None


async def test_a_redis_that_hangs_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts the connection and says nothing."""
    monkeypatch.setattr("jobs.gate.redis._ANSWER_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Redis(port=silent.getsockname()[1])
        gate = RedisGate(client)

        assert [await gate.enter(KEY, Limits(), order) for order in "ab"] == [0, FULL_S]

        await client.aclose()

"""Requests a minute: exact over several servers, told with Retry-After, and counted alone while Redis is away."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable

import httpx
import pytest
from redis.asyncio import Redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app.auth.rates import LINKS_PER_MINUTE, REFUSALS_PER_MINUTE, WINDOW_S, RequestRates
from canvas.errors import LimitReached
from canvas.ids import new_id
from canvas.protocol import GOING_AWAY, SIGN_IN
from tests.app.running import ADMIN_TOKEN, Person, Server
from tests.conftest import REDIS


async def goes_through(ask: Callable[[], Awaitable[None]]) -> bool:
    try:
        await ask()
    except LimitReached:
        return False
    return True


def on_redis(scenario: Callable[[Redis], Awaitable[None]]) -> None:
    async def run() -> None:
        async with Redis.from_url(os.environ[REDIS]) as redis:
            await scenario(redis)

    asyncio.run(run())


@pytest.mark.parametrize("limit", [1, 7, 600])
def test_window_is_exact_however_many_ask_at_once(limit: int) -> None:
    async def scenario(redis: Redis) -> None:
        rates, account = RequestRates(redis, limit), new_id("acc")

        let = await asyncio.gather(*(goes_through(lambda: rates.count_request(account)) for _ in range(limit + 50)))

        assert sum(let) == limit

    on_redis(scenario)


def test_servers_share_a_window() -> None:
    async def scenario(redis: Redis) -> None:
        servers, account = [RequestRates(redis, 640) for _ in range(3)], new_id("acc")

        let = [await goes_through(lambda at=at: at.count_request(account)) for _ in range(400) for at in servers]  # type: ignore[misc]

        assert 640 - 2 * 10 <= sum(let) <= 640  # what the two others had fetched and could not use

    on_redis(scenario)


def test_window_ends() -> None:
    async def scenario(redis: Redis) -> None:
        now = [0.0]
        rates, account = RequestRates(redis, 2, clock=lambda: now[0]), new_id("acc")
        for _ in range(2):
            await rates.count_request(account)
        with pytest.raises(LimitReached) as refused:
            await rates.count_request(account)
        assert 0 < refused.value.facts["retryAfter"] <= WINDOW_S

        now[0] += WINDOW_S
        await redis.delete(f"easel:rate:account:{account}")  # Redis' clock does not move with ours

        await rates.count_request(account)

    on_redis(scenario)


def test_server_counts_for_itself_while_redis_is_away() -> None:
    async def scenario() -> None:
        now = [0.0]
        async with Redis(host="127.0.0.1", port=9) as nowhere:
            rates = RequestRates(nowhere, 3, clock=lambda: now[0])

            assert [await goes_through(lambda: rates.count_request("acc_1")) for _ in range(4)] == [True] * 3 + [False]
            now[0] += WINDOW_S
            assert await goes_through(lambda: rates.count_request("acc_1"))

    asyncio.run(scenario())


def test_neighbours_of_a_network_are_told_apart_by_what_they_have() -> None:
    async def scenario(redis: Redis) -> None:
        for same, other in (("2001:db8::1", "2001:db8:0:1::1"), ("192.0.2.1", "192.0.2.2")):
            rates = RequestRates(redis, 1)
            await redis.delete(*await redis.keys("easel:rate:link:*") or ["none"])
            for _ in range(LINKS_PER_MINUTE):
                await rates.count_link(same)

            assert not await goes_through(lambda: rates.count_link(same))  # noqa: B023 - awaited at once
            assert await goes_through(lambda: rates.count_link(other))  # noqa: B023 - awaited at once

    on_redis(scenario)


def test_too_many_requests_are_told_when_to_come_back(
    another_server: Callable[..., Server], newcomer: Callable[..., Person]
) -> None:
    server = another_server(EASEL_REQUESTS_PER_MINUTE="5")
    busy, calm = newcomer(at=server), newcomer(at=server)

    statuses = [busy.http.get("/api/me").status_code for _ in range(6)]
    refused = busy.http.get("/api/me")

    assert statuses == [200] * 5 + [429]
    assert refused.json()["code"] == "RATE_LIMITED"
    assert 1 <= int(refused.headers["retry-after"]) <= WINDOW_S
    assert calm.http.get("/api/me").status_code == 200
    assert busy.http.get("/health/live").status_code == 200
    admin = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    assert {calm.http.get("/api/me", headers=admin).status_code for _ in range(10)} == {200}


def test_guessing_tokens_is_slowed_and_disturbs_nobody_else(another_server: Callable[..., Server]) -> None:
    server = another_server(EASEL_TRUSTED_PROXIES="127.0.0.1")
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as http:

        def guess(address: str) -> int:
            return http.get("/api/me", headers={"Authorization": "Bearer x", "X-Forwarded-For": address}).status_code

        statuses = [guess("203.0.113.7") for _ in range(REFUSALS_PER_MINUTE + 5)]

        assert statuses[:REFUSALS_PER_MINUTE] == [401] * REFUSALS_PER_MINUTE
        assert statuses[-1] == 429
        assert guess("203.0.113.8") == 401


@pytest.mark.parametrize("how", ["token", "ticket"])
def test_guessing_at_a_socket_is_slowed_too(another_server: Callable[..., Server], how: str) -> None:
    server = another_server(EASEL_TRUSTED_PROXIES="127.0.0.1")
    url = f"{server.url.replace('http', 'ws')}/ws/workflows/wf_x"
    mine, other = f"2001:db8:{len(how)}::1", f"2001:db8:{len(how)}:1::1"

    def guess(address: str) -> int | None:
        headers = {"X-Forwarded-For": address} | ({"Authorization": "Bearer x"} if how == "token" else {})
        with connect(url + ("?ticket=x" if how == "ticket" else ""), additional_headers=headers, proxy=None) as socket:
            assert json.loads(socket.recv(timeout=5))["type"] == "error"
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=5)
            return socket.close_code

    codes = [guess(mine) for _ in range(REFUSALS_PER_MINUTE + 2)]

    assert codes[:REFUSALS_PER_MINUTE] == [SIGN_IN] * REFUSALS_PER_MINUTE
    assert codes[-1] == GOING_AWAY  # an innocent neighbour may come back
    assert guess(other) == SIGN_IN

"""Redis carries hints only: stopped, killed or emptied, it delays what others see by a second and loses no edit."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from canvas.client import Canvas, open_canvas
from canvas.ops import Add, Update
from canvas.presence import REMOTE_EXPIRY_S
from tests.app.running import ADMIN_TOKEN
from tests.chaos.people import Person, check_everything, come_in
from tests.chaos.site import Site, at_a_site, kill

ACKNOWLEDGED_S = 2.0  # an edit is stored by PostgreSQL alone
DELIVERED_S = 4.0  # the hub's poll, on a machine with other things to do
RECOVERED_S = 20.0

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("lasts_s", [6, pytest.param(30, marks=pytest.mark.soak)])
def test_edits_go_on_without_redis_and_presence_comes_back(lasts_s: float) -> None:
    """D6, RM3, PR4. Stopped is worse than killed: it takes every connection and answers none."""

    async def scenario(site: Site) -> None:
        workflow_id = (await site.workflow())["id"]
        async with two_people(site, workflow_id) as (ada, bob):
            await ada.push(Add("node", {"id": "a", "position": {"x": 0, "y": 0}, "data": {}}))
            for number, (way, (go_away, come_back)) in enumerate(ways(site).items()):
                await shows(ada, bob, 10 * number)
                await go_away()
                longest_s = await edit_for(lasts_s, ada, bob)
                ada.presence.set(cursor={"x": 10 * number + 1, "y": 0})
                await opens_another(site)
                seen = None if lasts_s > REMOTE_EXPIRY_S else 10 * number
                assert cursor(bob, ada) == seen, "without Redis nobody can have told it"
                await come_back()
                await shows(ada, bob, 10 * number + 2)
                print(f"Redis {way} for {lasts_s} s: at most {longest_s:.2f} s from a push to the other's screen")

    at_a_site(scenario)


def test_nothing_is_lost_when_redis_is_emptied() -> None:
    async def scenario(site: Site) -> None:
        made = await site.workflow()
        async with open_many(site, made["id"]) as people:
            editing = asyncio.gather(*(person.edit(pushes=60) for person in people))
            for _ in range(5):
                await site.flush_redis()
                await asyncio.wait({editing}, timeout=0.2)
            await editing

            await check_everything(site, made, people)

    at_a_site(scenario)


Way = Callable[[], Awaitable[None]]


def ways(site: Site) -> dict[str, tuple[Way, Way]]:
    async def stop() -> None:
        site.signal_redis(signal.SIGSTOP)

    async def go_on() -> None:
        site.signal_redis(signal.SIGCONT)

    async def die() -> None:
        kill(site.redis)

    async def start() -> None:
        await site.run(site.redis.start)

    return {"stopped": (stop, go_on), "killed": (die, start)}


@asynccontextmanager
async def two_people(site: Site, workflow_id: str) -> AsyncIterator[tuple[Canvas, Canvas]]:
    here, there = site.urls()
    async with open_canvas(here, workflow_id, ADMIN_TOKEN) as ada, open_canvas(there, workflow_id, ADMIN_TOKEN) as bob:
        yield ada, bob


@asynccontextmanager
async def open_many(site: Site, workflow_id: str) -> AsyncIterator[list[Person]]:
    async with AsyncExitStack() as stack:
        yield await come_in(stack, site.urls(), workflow_id, 4, seed=1)


async def edit_for(lasts_s: float, ada: Canvas, bob: Canvas) -> float:
    """Each pushes in turn; the other, at another server, sees it. Answers the longest that took."""
    clock = asyncio.get_running_loop().time
    end, longest_s = clock() + lasts_s, 0.0
    for number in itertools.count():
        if clock() > end:
            return longest_s
        author, reader = (ada, bob) if number % 2 else (bob, ada)
        began = clock()
        async with asyncio.timeout(ACKNOWLEDGED_S):
            result = await author.push(Update("node", "a", {"/data/number": number}))
        assert result.outcome == "commit"
        async with asyncio.timeout(DELIVERED_S):
            await reader.until(lambda: reader.seq >= result.seq)  # noqa: B023 - awaited here
        longest_s = max(longest_s, clock() - began)
    raise AssertionError


async def opens_another(site: Site) -> None:
    """A room that nobody had open is opened, written and read, over WebSocket and REST."""
    async with asyncio.timeout(2 * DELIVERED_S):
        other = (await site.workflow())["id"]
        async with two_people(site, other) as (ada, bob):
            await ada.push(Add("node", {"id": "a", "position": {"x": 0, "y": 0}}))
            await bob.until(lambda: "a" in bob.graph)
        assert len((await site.export(other, 1))["nodes"]) == 1


async def shows(ada: Canvas, bob: Canvas, x: float) -> None:
    """One of them points, and the other one sees it."""
    ada.presence.set(cursor={"x": x, "y": 0})
    async with asyncio.timeout(RECOVERED_S):
        await bob.until(lambda: cursor(bob, ada) == x)


def cursor(reader: Canvas, other: Canvas) -> float | None:
    point = reader.presence.others.get(other.session_id, {}).get("cursor")
    return point["x"] if point else None

"""One who never reads and one who floods harm nobody else (R4): others are answered, and memory stays bounded."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import quantiles
from typing import NamedTuple

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from canvas.client import Edited, Listening
from canvas.ops import Add, Update
from tests.app.running import ADMIN_TOKEN
from tests.chaos.people import Person, come_in
from tests.chaos.site import Site, at_a_site

GOOD = 4
ROUNDS, ROUND_S = 5, 20
EVERY_S = 0.05
MOST_RSS_GROWTH = 160 << 20  # one queue of 8 MiB, 16 MiB of pushes that wait, the document, and what Python keeps of it
ANSWERED_S = 5.0
BIG_BYTES = 48 << 10


def test_who_never_reads_and_who_floods_harm_nobody_else() -> None:
    """CL2, PU12"""

    async def scenario(site: Site) -> None:
        workflow_id = (await site.workflow())["id"]
        async with at_work(site, workflow_id) as people, silent_reader(site, workflow_id) as silent:
            watching = people[0].canvas
            before = site.servers[0].resident_bytes()
            flood = asyncio.create_task(flooding(site, workflow_id, 240, BIG_BYTES))
            for number in range(24):
                async with asyncio.timeout(ANSWERED_S):
                    await asyncio.gather(*(pushes(person, number) for person in people))
            await flood
            async with asyncio.timeout(30):
                await watching.until(lambda: silent not in watching.presence.others)

            grown = site.servers[0].resident_bytes() - before
            longest_s = max(person.longest_wait_s for person in people)
            print(f"the server grew by {grown >> 20} MiB; others waited at most {longest_s:.2f} s")
            assert grown < MOST_RSS_GROWTH
            for person in people:
                assert person.canvas.resyncs == 0

    at_a_site(scenario, servers=1)


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_neighbours_of_a_flood_are_served_as_before() -> None:
    """p99 of acknowledgement and delivery, alone and beside it by turns: what else the machine does hits both.

    Wants a quiet machine all the same.
    """

    async def scenario(site: Site) -> None:
        workflow_id, crowd = (await site.workflow())["id"], (await site.workflow())["id"]
        async with at_work(site, workflow_id) as people:
            await measure(people, 3, Waits([], []))  # warm
            alone, beside = Waits([], []), Waits([], [])
            for _ in range(ROUNDS):
                await measure(people, ROUND_S, alone)
                async with silent_reader(site, crowd):
                    ready, go = asyncio.Event(), asyncio.Event()
                    flood = asyncio.create_task(flooding(site, crowd, 0, 1, ready, go))
                    await ready.wait()
                    go.set()
                    await measure(people, ROUND_S, beside)
                    flood.cancel()
                    await asyncio.wait({flood})
        for what, was, is_ in zip(Waits._fields, alone.p99_s(), beside.p99_s(), strict=True):
            print(f"{what}: p99 {was * 1000:.1f} ms alone, {is_ * 1000:.1f} ms beside a flood ({is_ / was:.2f} x)")
            assert is_ <= 1.2 * was

    at_a_site(scenario, servers=1)


@asynccontextmanager
async def at_work(site: Site, workflow_id: str) -> AsyncIterator[list[Person]]:
    """Good people, each with a node to move."""
    async with AsyncExitStack() as stack:
        people = await come_in(stack, site.urls(), workflow_id, GOOD, seed=1)
        for person in people:
            await person.canvas.push(Add("node", {"id": person.name, "position": {"x": 0, "y": 0}, "data": {}}))
        yield people


async def pushes(person: Person, number: int) -> None:
    clock = asyncio.get_running_loop().time
    asked = clock()
    result = await person.canvas.push(Update("node", person.name, {"/position": {"x": number + 1, "y": 0}}))
    person.longest_wait_s = max(person.longest_wait_s, clock() - asked)
    assert result.outcome == "commit"


class Waits(NamedTuple):
    """Seconds, of every push: until it was answered, and until each of the others saw it."""

    acknowledgement: list[float]
    delivery: list[float]

    def p99_s(self) -> tuple[float, float]:
        return quantiles(self.acknowledgement, n=100)[-1], quantiles(self.delivery, n=100)[-1]


async def measure(people: list[Person], lasts_s: float, waits: Waits) -> None:
    """Each edits at a pace of their own, so that no two of them wait for the same commit."""
    clock = asyncio.get_running_loop().time
    end = clock() + lasts_s
    asked: dict[tuple[str | None, float], float] = {}

    async def edit(person: Person) -> None:
        pace = random.Random(person.name)
        for number in itertools.count(1):
            if clock() > end:
                return
            began = asked[person.canvas.client_id, number] = clock()
            await person.canvas.push(Update("node", person.name, {"/position": {"x": number, "y": lasts_s}}))
            waits.acknowledgement.append(clock() - began)
            await asyncio.sleep(EVERY_S * pace.uniform(0.5, 1.5))

    async def see(listening: Listening) -> None:
        async for news in listening:
            if isinstance(news, Edited):
                op = news.transaction.ops[0]
                assert isinstance(op, Update)
                waits.delivery.append(clock() - asked[news.transaction.by.client_id, op.set["/position"]["x"]])

    seeing = [asyncio.create_task(see(person.canvas.news())) for person in people]
    await asyncio.gather(*(edit(person) for person in people))
    for task in seeing:
        task.cancel()
    await asyncio.wait(seeing)


@asynccontextmanager
async def joined(site: Site, workflow_id: str, client_id: str) -> AsyncIterator[tuple[ClientConnection, str]]:
    """A socket that has been welcomed, and its session."""
    url = f"{site.urls()[0].replace('http', 'ws')}/ws/workflows/{workflow_id}"
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with connect(url, additional_headers=headers, max_size=None, max_queue=2, ping_interval=None) as socket:
        await socket.send(json.dumps({"type": "hello", "protocol": 1, "clientId": client_id, "resume": None}))
        yield socket, json.loads(await socket.recv())["sessionId"]


@asynccontextmanager
async def silent_reader(site: Site, workflow_id: str) -> AsyncIterator[str]:
    """Says hello and reads nothing more, as a suspended laptop."""
    async with joined(site, workflow_id, "silent") as (socket, session_id):
        yield session_id
        socket.transport.abort()


async def flooding(
    site: Site,
    workflow_id: str,
    count: int,
    size: int,
    ready: asyncio.Event | None = None,
    go: asyncio.Event | None = None,
) -> None:
    """An invited editor who pushes without waiting; `count` 0: until cancelled. See `tests.chaos.flood`."""
    async with site.http() as client:
        invited = await client.post(f"/api/workflows/{workflow_id}/invites", json={"role": "editor", "name": "Flo"})
    async with httpx.AsyncClient() as browser:
        signed_in = await browser.get(invited.json()["url"])
    url = f"{site.urls()[0].replace('http', 'ws')}/ws/workflows/{workflow_id}"
    told = (url, signed_in.cookies["easel_session"], str(count), str(size))
    flood = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.flood", *told, stdin=PIPE, stdout=PIPE
    )
    assert flood.stdin is not None
    assert flood.stdout is not None
    try:
        assert await flood.stdout.readline() == b"ready\n"
        if ready is not None and go is not None:
            ready.set()
            await go.wait()
        flood.stdin.write(b"\n")
        assert await flood.wait() == 0
    finally:
        if flood.returncode is None:
            flood.kill()
            await flood.wait()

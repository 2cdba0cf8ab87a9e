"""Twenty people edit on two servers while PostgreSQL, Redis and the servers are killed under them, again and again."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.chaos.people import Person, check_everything, come_in
from tests.chaos.site import Site, at_a_site, kill

PEOPLE = 20
THINKS_S = 0.15
KILLS_EVERY_S = (0.5, 3.0)  # after the last one is up again: on a busy machine there must be time to edit
VICTIMS = ("server 0", "server 1", "PostgreSQL", "Redis")


@pytest.mark.parametrize(
    "lasts_s",
    [
        pytest.param(15, marks=pytest.mark.timeout(240), id="fifteen seconds"),
        pytest.param(600, marks=[pytest.mark.soak, pytest.mark.timeout(900)], id="ten minutes"),
    ],
)
def test_nothing_acknowledged_is_lost_whatever_is_killed(lasts_s: float) -> None:
    """R1, R2: PU2, PU8, PU9, RS1, GR3. EASEL_CHAOS_SEED repeats a schedule."""
    seed = int(os.environ.get("EASEL_CHAOS_SEED") or random.randrange(2**32))
    print(f"EASEL_CHAOS_SEED={seed}")

    async def scenario(site: Site) -> None:
        made = await site.workflow()
        async with AsyncExitStack() as stack:
            balanced = await stack.enter_async_context(balancer(site, random.Random(f"{seed}/balancer")))
            people = await come_in(stack, [*site.urls(), balanced, balanced], made["id"], PEOPLE, seed)
            kills = await live_through(site, people, lasts_s, random.Random(f"{seed}/kills"))

            counts = await check_everything(site, made, people)

        assert counts["commit"] > PEOPLE * lasts_s / 10, f"hardly anybody got anything done: {counts}"
        report(people, kills, counts)

    at_a_site(scenario)


async def live_through(site: Site, people: list[Person], lasts_s: float, choice: random.Random) -> Counter[str]:
    """Everybody edits for so long, and every few seconds something is killed; then all of it is back."""
    enough = asyncio.Event()
    kills: Counter[str] = Counter()
    clock = asyncio.get_running_loop().time
    end = clock() + lasts_s
    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(person.edit(pause_s=THINKS_S, until=enough))
        while clock() < end:
            await asyncio.sleep(choice.uniform(*KILLS_EVERY_S))
            victims = choice.sample(VICTIMS, choice.choice((1, 1, 2)))
            kills.update(victims)
            await asyncio.gather(*(hurt(site, victim) for victim in victims))
        enough.set()
    await say_the_last_word(site, people[0])
    return kills


async def say_the_last_word(site: Site, person: Person) -> None:
    """While Redis is away: no later edit brings it along, only the servers' own looking can (RM3)."""
    kill(site.redis)
    await person.edit(pushes=len(person.told) + 1)
    await site.run(site.redis.start)


async def hurt(site: Site, victim: str) -> None:
    match victim:
        case "PostgreSQL":
            await site.kill_service(site.postgres)
        case "Redis":
            await site.kill_service(site.redis)
        case _:
            await site.kill_server(int(victim[-1]))


@asynccontextmanager
async def balancer(site: Site, choice: random.Random) -> AsyncIterator[str]:
    """One address before all servers: whoever comes back comes back anywhere."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", choice.choice(site.ports))
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(pump(reader, back))
            group.create_task(pump(there, writer))

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either end is gone; then the other one is told."""
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # a killed server resets its connections
    finally:
        writer.close()


def report(people: list[Person], kills: Counter[str], counts: Counter[str]) -> None:
    connections = sum(person.canvas.connections - 1 for person in people)
    longest = max(person.longest_wait_s for person in people)
    print(f"kills {dict(kills)}; answers {dict(counts)}; {connections} reconnections; longest wait {longest:.1f} s")

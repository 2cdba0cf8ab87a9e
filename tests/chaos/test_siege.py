"""People without an account, who do whatever costs a server most, harm nobody who has one (R9)."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import quantiles

import pytest

from tests.chaos.site import Site, at_a_site
from tests.chaos.test_neighbours import Waits, at_work, measure

ROUNDS, ROUND_S = 4, 20
MOST_RSS_GROWTH = 120 << 20


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_besieged_server_serves_as_before() -> None:
    """p99 of answers to requests and pushes, alone and besieged by turns. Wants a quiet machine."""

    async def scenario(site: Site) -> None:
        workflow_id = (await site.workflow())["id"]
        async with at_work(site, workflow_id) as people:
            alone, besieged = Waits([], []), Waits([], [])
            answers: tuple[list[float], list[float]] = ([], [])
            await measure(people, 3, Waits([], []))  # warm
            before = site.servers[0].resident_bytes()
            for _ in range(ROUNDS):
                await asyncio.gather(measure(people, ROUND_S, alone), ask(site, workflow_id, ROUND_S, answers[0]))
                async with siege(site, workflow_id):
                    await asyncio.gather(
                        measure(people, ROUND_S, besieged), ask(site, workflow_id, ROUND_S, answers[1])
                    )
            grown = site.servers[0].resident_bytes() - before
            print(f"the server grew by {grown >> 20} MiB")
            assert grown < MOST_RSS_GROWTH
            was_asked, is_asked = (quantiles(each, n=100)[-1] for each in answers)
            told = [*zip(Waits._fields, alone.p99_s(), besieged.p99_s(), strict=True), ("answer", was_asked, is_asked)]
            for what, was, is_ in told:
                print(f"{what}: p99 {was * 1000:.1f} ms alone, {is_ * 1000:.1f} ms besieged ({is_ / was:.2f} x)")
            assert all(is_ <= 1.5 * was for _, was, is_ in told)
            assert all(person.canvas.resyncs == 0 for person in people)

    at_a_site(scenario, servers=1)


async def ask(site: Site, workflow_id: str, lasts_s: float, took_s: list[float]) -> None:
    clock = asyncio.get_running_loop().time
    end = clock() + lasts_s
    async with site.http() as http:
        while clock() < end:
            began = clock()
            assert (await http.get(f"/api/workflows/{workflow_id}/nodes")).status_code == 200
            took_s.append(clock() - began)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def siege(site: Site, workflow_id: str) -> AsyncIterator[None]:
    """See `tests.chaos.siege`."""
    told = (str(site.ports[0]), workflow_id)
    besiegers = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.chaos.siege", *told, stdout=PIPE)
    assert besiegers.stdout is not None
    try:
        assert await besiegers.stdout.readline() == b"ready\n"
        yield
        assert besiegers.returncode is None, "the besiegers have given up"
    finally:
        if besiegers.returncode is None:
            besiegers.kill()
        await besiegers.wait()

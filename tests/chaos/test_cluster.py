"""Everything at once on two servers, a proxy and two workers, while each is killed, stopped, emptied or cut off."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest

from tests.chaos import ledger
from tests.chaos.cluster import Cluster, Evil, open_cluster
from tests.chaos.crowd import WEIGHTS, accepted
from tests.chaos.ledger import Left
from tests.chaos.people import Person, check_everything, come_in
from tests.chaos.studio import Artist, Watcher, nodes
from tests.chaos.vendors import KINDS, LEASE_S, Kind, Vendors, open_vendors

EVERY_S = 5.0
THINKS_S = 0.3
ENDS_S = 180.0
WATCHERS = 3


class Size(NamedTuple):
    lasts_s: float
    editors: int
    runs: int


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(Size(30, 10, 20), marks=pytest.mark.timeout(300), id="half a minute"),
        pytest.param(Size(900, 30, 200), marks=[pytest.mark.soak, pytest.mark.timeout(1800)], id="fifteen minutes"),
    ],
)
def test_nothing_is_lost_stuck_or_doubled_whatever_happens_to_the_cluster(size: Size) -> None:
    """R1, R2, R5: PU2, RS1, JB4, JB14, JB15, JB20. EASEL_CHAOS_SEED repeats a schedule."""
    seed = int(os.environ.get("EASEL_CHAOS_SEED") or random.randrange(2**32))
    print(f"EASEL_CHAOS_SEED={seed}")
    asyncio.run(live(size, seed))


async def live(size: Size, seed: int) -> None:
    kinds = random.Random(f"{seed}/kinds").choices(KINDS, WEIGHTS, k=size.runs)
    async with open_vendors() as vendors, open_cluster(**settings_of(vendors)) as cluster:
        drawn = await cluster.workflow(name="Drawn")
        made = await cluster.workflow(name="Made", nodes=nodes(size.runs), edges=[])
        artist = Artist(cluster.wire.url, made["id"], kinds)
        async with AsyncExitStack() as stack:
            doors = [cluster.wire.url]
            editors = await come_in(stack, doors, drawn["id"], size.editors, seed)
            onlookers = await come_in(stack, doors, made["id"], WATCHERS, seed)
            watchers = [Watcher(cluster.wire.url, made["id"]) for _ in range(WATCHERS)]
            watching = [asyncio.create_task(watcher.watch()) for watcher in watchers]
            evil = Evil(cluster, random.Random(f"{seed}/evil"), EVERY_S)
            await live_through(size, seed, evil, editors, artist)

            await cluster.until_back()
            await ledger.until_ended(cluster, set(artist.runs.values()), ENDS_S)
            await ledger.until_untold(cluster, ENDS_S)
            counts = await check_everything(cluster, drawn, editors)
            await check_everything(cluster, made, onlookers)
            last = await check_streams(cluster, made["id"], watchers)
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        ends = await check_runs(cluster, vendors, artist, kinds)
        report(evil, editors, watchers, artist, ends, last, counts)


def settings_of(vendors: Vendors) -> dict[str, str]:
    return {
        **vendors.settings,
        "EASEL_ALLOW_PRIVATE_HOSTS": vendors.places,
        "EASEL_LEASE_SECONDS": str(LEASE_S),
        "EASEL_RETRY_SECONDS": "0.2",
        "EASEL_REQUESTS_PER_MINUTE": "100000",
    }


async def live_through(size: Size, seed: int, evil: Evil, editors: list[Person], artist: Artist) -> None:
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for editor in editors:
            group.create_task(editor.edit(pause_s=THINKS_S, until=enough))
        starting = group.create_task(artist.start_all(size.lasts_s * 0.9, random.Random(f"{seed}/artist")))
        await evil.go_on(size.lasts_s)
        await starting
        enough.set()


async def check_streams(cluster: Cluster, workflow_id: str, watchers: list[Watcher]) -> int:
    """Everybody saw every event, once and in order; answers how many there are."""
    query = "SELECT workflow_seq FROM run_events WHERE workflow_id = $1 ORDER BY workflow_seq"
    stored = [row["workflow_seq"] for row in await cluster.fetch(query, workflow_id)]
    async with asyncio.timeout(ENDS_S):
        for watcher in watchers:
            await watcher.until(stored[-1])
    for watcher in watchers:
        assert watcher.seen == stored
    return len(stored)


async def check_runs(cluster: Cluster, vendors: Vendors, artist: Artist, kinds: list[Kind]) -> Counter[str]:
    """Each ended, once and whole; none was paid for twice; after a sweep nothing lies about."""
    folder = cluster.folder
    taken, ends = accepted(vendors), Counter[str]()
    assert len(await cluster.fetch("SELECT id FROM runs")) == len(kinds), "a run was started twice"
    for number, run_id in artist.runs.items():
        left: Left = await ledger.check(cluster, folder / "objects", run_id, taken[number])
        ends[left.code or left.status] += 1
        assert left.accepted <= 1 or not kinds[number].is_paid, f"paid twice: {left}"
        is_unknown = left.code == "OUTCOME_UNKNOWN" and kinds[number].is_paid  # its worker died while it was sent
        assert left.status == "completed" or is_unknown, left
    assert await ledger.swept(cluster, folder / "objects") == set(), "orphans after the sweep"
    return ends


def report(
    evil: Evil,
    editors: list[Person],
    watchers: list[Watcher],
    artist: Artist,
    ends: Counter[str],
    events: int,
    counts: Counter[str],
) -> None:
    connections = sum(editor.canvas.connections - 1 for editor in editors)
    longest = max(editor.longest_wait_s for editor in editors)
    print(f"{sum(evil.counts.values())} faults: {dict(evil.counts)}")
    print(f"edits answered {dict(counts)}; {connections} reconnections; longest wait {longest:.1f} s")
    streams = sum(watcher.streams for watcher in watchers)
    print(
        f"runs {dict(ends)} in {artist.tries} requests; {events} events seen by each of {WATCHERS}, {streams} streams"
    )

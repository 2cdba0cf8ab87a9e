"""Five hundred runs of five people with real workers, servers and services, all of which are killed on the way."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest

from tests.app.running import Person
from tests.chaos import ledger
from tests.chaos.crowd import PEOPLE, WORKERS, Crowd, Killing, Trouble, accepted, kinds_of, tolerated
from tests.chaos.ledger import Left
from tests.chaos.plants import PLANTS
from tests.chaos.site import Site
from tests.chaos.vendors import Kind, Vendors, at_a_site_with_vendors

SEED = int(os.environ.get("EASEL_CROWD_SEED", "20261127"))
RUNS = 500
ENDS_S = 900.0
MANY = {"EASEL_REQUESTS_PER_MINUTE": "100000", "EASEL_RUN_DEADLINE_SECONDS": "800"}


class Outcome(msgspec.Struct):
    left: list[Left]
    complaints: list[str]
    shares: Counter[str]
    """Of the first orders, whose they were."""
    told: str


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_five_hundred_runs_all_end_each_paid_once_and_nobody_waits_for_another() -> None:
    """JB4, JB5, JB7, JB14, JB15, JB24, JB25, JB26, R5"""
    outcome = asyncio.run(live(RUNS))

    print(outcome.told)
    assert not outcome.complaints, "\n".join(outcome.complaints)
    fair = sum(outcome.shares.values()) / len(PEOPLE)
    assert all(outcome.shares[name] >= 0.5 * fair for name in PEOPLE), outcome.shares


@pytest.mark.soak
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("plant", PLANTS)
def test_a_bug_planted_in_the_workers_is_seen(plant: str) -> None:
    with suppress(TimeoutError):  # a run that never ends is how some of them are seen
        outcome = asyncio.run(live(120, plant, ends_s=120))
        fair = sum(outcome.shares.values()) / len(PEOPLE)
        is_unfair = any(outcome.shares[name] < 0.5 * fair for name in PEOPLE)
        print(plant, outcome.complaints[:3], outcome.shares)
        assert outcome.complaints or is_unfair, f"“{plant}” goes unnoticed"


async def live(count: int, plant: str = "", ends_s: float = ENDS_S) -> Outcome:
    """All runs are there before the first worker: whose turn it is shows from the first order on."""
    dice = random.Random(SEED)
    kinds = kinds_of(count, dice)
    async with at_a_site_with_vendors(**MANY) as (site, vendors, folder):
        people = {name: await site.run(partial(_person, site, name)) for name in PEOPLE}
        crowd = Crowd(site, people, kinds)
        await crowd.start()
        trouble, killing = Trouble(dice, vendors), Killing(site, dice, plant)
        try:
            await killing.start()
            evil = asyncio.create_task(killing.go_on())
            try:
                await ledger.until_ended(site, set(crowd.runs.values()), ends_s)
            finally:
                evil.cancel()
                await asyncio.gather(evil, return_exceptions=True)
            await ledger.until_untold(site, ends_s)
        finally:
            await killing.stop()
        return await _looked_at(site, folder, vendors, crowd, kinds, trouble, killing)


def _person(site: Site, name: str) -> Person:
    return Person(site.servers[0], site.postgres.url, name)


async def _looked_at(
    site: Site, folder: Path, vendors: Vendors, crowd: Crowd, kinds: list[Kind], trouble: Trouble, killing: Killing
) -> Outcome:
    taken, lefts, complaints = accepted(vendors), [], []
    unexpected = 0
    for number, run_id in crowd.runs.items():
        kind = kinds[number]
        try:
            left = await ledger.check(site, folder / "objects", run_id, taken[number])
            lefts.append(left)
            assert left.accepted <= 1 or not kind.is_paid, left
        except AssertionError as error:
            complaints.append(f"run {number}, {kind.name}: {error}")
            continue
        is_unknown = left.code == "OUTCOME_UNKNOWN" and kind.is_paid  # its worker died, or the line did
        if left.status != "completed" and not is_unknown:
            unexpected += not tolerated(kind, trouble.befell.get(number, set()), left.code)
    if unexpected > len(kinds) // 100:
        complaints.append(f"{unexpected} runs of {len(kinds)} failed for what they should have lived through")
    orphans = await ledger.unnamed(site, folder / "objects")
    deaths = sum(killing.counts[way] for way in ("worker killed", "worker stopped", "PostgreSQL killed"))
    if len(orphans) > deaths * WORKERS * 8:  # what one was putting away when it died, for each of its places
        complaints.append(f"{len(orphans)} objects that no row names")
    complaints += [f"the sweep left {left}" for left in await ledger.swept(site, folder / "objects")]
    complaints += [alarms] if (alarms := site.alarms()) else []
    complaints += [log for log in (*killing.logs, *(worker.text for worker in killing.workers)) if "Traceback" in log]
    names = {person_id: name for name, person_id in await _ids(site)}
    first = await site.fetch(_FIRST_SENT, len(kinds) * 4 // 7)
    ends = Counter(left.code or left.status for left in lefts)
    return Outcome(
        lefts,
        complaints,
        Counter(names[row["account_id"]] for row in first),
        f"seed {SEED}: {dict(ends)}; {sum(taken.values())} orders accepted, "
        f"of {sum(times > 1 for times in taken.values())} runs more than one; trouble {dict(trouble.counts)}; "
        f"{dict(killing.counts)}; {len(orphans)} objects for the sweep",
    )


async def _ids(site: Site) -> list[tuple[str, str]]:
    return [(row["name"], row["id"]) for row in await site.fetch("SELECT name, id FROM accounts")]


# While everybody still has runs that wait: four sevenths, as one in seven is each of the others'.
_FIRST_SENT = """
    SELECT account_id FROM (
      SELECT runs.account_id, min(calls.sent_at) AS first FROM provider_calls AS calls
      JOIN runs ON runs.id = calls.run_id GROUP BY runs.id, runs.account_id) AS sent ORDER BY first LIMIT $1"""

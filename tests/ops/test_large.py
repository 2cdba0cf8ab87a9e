"""100 000 nodes, 100 000 runs and a million run events: lists and documents open as in an empty installation."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.running import Person
from tests.chaos.site import Site
from tests.ops.large import Size, fill

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

SMALL = Size(workflows=60, nodes=100, runs=1_000, events=10)
"""As empty as an installation can be whose first page of failed runs (one in twenty) is full."""
LARGE = Size(workflows=1_000, nodes=100, runs=100_000, events=10)
ROUNDS = 150
ROUTES = {
    "list of workflows": "/api/workflows",
    "open a workflow": "/api/workflows/wf_7",
    "list of runs": "/api/runs",
    "list of a workflow's runs": "/api/runs?workflowId=wf_7",
    "list of failed runs": "/api/runs?status=failed",
    "list of dead runs": "/api/runs?dead=true",
    "a run": "/api/runs/run_7",
    "events of a run": "/api/runs/run_7/events",
    "usage": "/api/usage",
}


def test_lists_and_documents_open_as_in_an_empty_installation(tmp_path: Path) -> None:
    async def whole() -> None:
        sites = [Site(tmp_path / "small"), Site(tmp_path / "large")]
        try:
            people = [await inhabited(site, size) for site, size in zip(sites, (SMALL, LARGE), strict=True)]
            found = await sites[0].run(lambda: {name: asked(people, path) for name, path in ROUTES.items()})
            for person in people:
                person.http.close()
        finally:
            for site in sites:
                await site.stop()
        print("\n" + "\n".join(table(found)))
        slow = {name: values for name, values in found.items() if values[1] > 2 * values[0]}
        assert slow == {}

    asyncio.run(whole())


async def inhabited(site: Site, size: Size) -> Person:
    """Who owns all of it."""
    await site.start(1, EASEL_REQUESTS_PER_MINUTE="1000000")
    owner = await site.run(lambda: Person(site.servers[0], site.postgres.url, "owner"))
    await fill(site.postgres.url, owner.id, size)
    return owner


def asked(people: list[Person], path: str) -> tuple[float, float]:
    """p95 in ms of each installation, asked in turns so that whatever disturbs the machine disturbs both."""
    took: list[list[float]] = [[], []]
    for round_ in range(ROUNDS + 10):
        for place, person in enumerate(people):
            began = time.perf_counter()
            answer = person.http.get(path, headers={"Accept": "application/json"})
            elapsed_ms = (time.perf_counter() - began) * 1000
            assert answer.status_code == 200, answer.text
            if round_ >= 10:  # before, pools and caches are still cold
                took[place].append(elapsed_ms)
    small, large = (statistics.quantiles(times, n=20)[-1] for times in took)
    return small, large


def table(found: dict[str, tuple[float, float]]) -> Iterator[str]:
    yield f"{'p95 of':28} {'empty':>8} {'large':>8}  ratio"
    for name, (small, large) in found.items():
        yield f"{name:28} {small:6.1f} ms {large:6.1f} ms {large / small:5.2f}"

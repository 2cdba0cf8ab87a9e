"""`easel restart` under load: requests, sockets and streams go on, and no page has to load anything again."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.chaos.cluster import Cluster, open_cluster
from tests.chaos.people import check_everything, come_in
from tests.chaos.studio import HEADERS

PEOPLE, CALLERS = 6, 4
DONE_S = 120


@pytest.mark.timeout(240)
def test_nobody_notices_when_servers_and_workers_are_restarted_one_after_another() -> None:
    """R11: every request is answered with what was asked for, without being tried again; every socket comes back."""
    asyncio.run(live())


async def live() -> None:
    async with open_cluster(EASEL_REQUESTS_PER_MINUTE="1000000") as cluster, AsyncExitStack() as stack:
        made = await cluster.workflow(name="Drawn")
        people = await come_in(stack, [cluster.url], made["id"], PEOPLE, seed=1)
        enough, answers = asyncio.Event(), Counter[str]()
        before = cluster.state().pids
        async with asyncio.TaskGroup() as group:
            for person in people:
                group.create_task(person.edit(pause_s=0.1, until=enough))
            for number in range(CALLERS):
                group.create_task(call(cluster, made["id"], number, answers, enough))
            cluster.supervisor.signal(signal.SIGUSR1)
            await cluster.run(lambda: cluster.supervisor.wait_for("Everything has been restarted", DONE_S))
            enough.set()
        after = cluster.state().pids

        await check_everything(cluster, made, people)
        longest = max(person.longest_wait_s for person in people)
        reconnections = sum(person.canvas.connections - 1 for person in people)
        print(f"{dict(answers)}; {reconnections} reconnections; longest wait {longest:.1f} s")
        changed = {name for name in before if before[name] != after[name]}
        assert changed == {"easel serve 1", "easel serve 2", "easel worker 1", "easel worker 2"}
        assert set(answers) == {"GET 200", "POST 201"}, answers
        assert reconnections >= PEOPLE, "sockets of both servers were ended"


async def call(cluster: Cluster, workflow_id: str, number: int, answers: Counter[str], enough: asyncio.Event) -> None:
    """Reads and writes by turns, each without a second try; a new connection now and then."""
    while not enough.is_set():
        async with httpx.AsyncClient(base_url=cluster.url, headers=HEADERS, timeout=20, trust_env=False) as http:
            for _ in range(20):
                read = await http.get(f"/api/workflows/{workflow_id}")
                answers[f"GET {read.status_code}"] += 1
                written = await http.post("/api/workflows", json={"name": f"By {number}"})
                answers[f"POST {written.status_code}"] += 1

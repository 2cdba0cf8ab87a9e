"""A batch of runs and an import, whose worker and server are killed in the middle, at a provider that counts."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.running import Worker
from tests.chaos.site import Site
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import Asked, Server, Told, told

RUNS, IMPORTS, PLACES, ENDED_AT_KILL = 9, 9, 3, 2
PNG = picture()


class Studio:
    """Ends a job only when as many are under way as the batch has places: one that stayed empty would stop it all."""

    def __init__(self) -> None:
        self.server = Server(self.respond)
        self.jobs: dict[str, str] = {}
        self.ended: set[str] = set()
        self.polled: set[str] = set()
        self.peak = 0
        self.fetched: Counter[str] = Counter()
        self.fetching = self.fetching_peak = 0
        self.first_worker_is_dead = False
        self.let_imports_go = asyncio.Event()

    def stands_still(self) -> bool:
        """Whether every place holds a job whose id is written down: a worker killed now leaves nothing in doubt."""
        under_way = self.jobs.keys() - self.ended
        return len(self.ended) >= ENDED_AT_KILL and len(under_way) == PLACES and under_way <= self.polled

    async def respond(self, asked: Asked) -> Told:
        if asked.path.startswith("/import/"):
            return await self._import(asked.path)
        if asked.path.startswith("/out/"):
            return Told(PNG, content_type="image/png")
        if asked.method == "POST":
            our_id = asked.json()["jobId"]
            self.jobs[f"job{len(self.jobs)}"] = our_id
            self.peak = max(self.peak, len(self.jobs) - len(self.ended))
            return told({"job_id": f"job{len(self.jobs) - 1}"}, 202)
        name = asked.path.rpartition("/")[2]
        job_id = next((job for job, our_id in self.jobs.items() if name in {job, our_id}), None)
        if job_id is None:
            return told({"error": "no such job"}, 404)
        self.polled.add(job_id)
        may_end = self.first_worker_is_dead or len(self.ended) < ENDED_AT_KILL
        if may_end and len(self.jobs) >= min(RUNS, len(self.ended) + PLACES):
            self.ended.add(job_id)
        if job_id not in self.ended:
            return told({"job_id": job_id, "status": "running", "progress": 50})
        image = f"{self.server.url}/out/{job_id}.png"
        return told({"job_id": job_id, "status": "completed", "images": [image]})

    async def _import(self, path: str) -> Told:
        self.fetched[path] += 1
        self.fetching += 1
        self.fetching_peak = max(self.fetching_peak, self.fetching)
        try:
            if path not in list(self.fetched)[:PLACES]:  # one of those that is asked for again has lost its lease
                await self.let_imports_go.wait()
        finally:
            self.fetching -= 1
        return Told(PNG, content_type="image/png")


class Client:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def batch(self, batch_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/api/batches/{batch_id}")
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json()
        assert seen["counts"]["running"] <= PLACES
        return seen

    async def until(self, batch_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while not holds(seen := await self.batch(batch_id)):  # noqa: ASYNC110 - other processes decide
            await asyncio.sleep(0.1)
        return seen


@pytest.mark.timeout(180)
def test_batch_and_import_outlive_worker_and_server() -> None:
    """BA2, BA7, BA8: JB7, JB25"""

    async def scenario() -> None:
        studio = Studio()
        with tempfile.TemporaryDirectory(prefix="easel-chaos-") as folder:
            async with studio.server:
                site = Site(Path(folder))
                try:
                    await live_through(site, studio)
                finally:
                    await site.stop()

    asyncio.run(scenario())


async def live_through(site: Site, studio: Studio) -> None:
    place = studio.server.url.removeprefix("http://")
    settings = {
        "EASEL_ALLOW_PRIVATE_HOSTS": place,
        "GENERIC_PROVIDER_URL": f"{studio.server.url}/make",
        "WEBHOOK_SECRET": "whsec_c2VjcmV0LW9mLXRoZS10ZXN0cw==",
        "EASEL_LEASE_SECONDS": "2",
    }
    await site.start(1, **settings)
    first = await site.run(lambda: Worker(site.environment))
    names = [f"n{number}" for number in range(RUNS + IMPORTS)]
    nodes = [{"id": name, "position": {"x": 0, "y": 0}, "data": {}} for name in names]
    workflow = await site.workflow(nodes=nodes)
    try:
        async with site.http() as http:
            client = Client(http)
            runs_id, imports_id = await start(client, studio, workflow["id"], names)
            await client.until(runs_id, lambda _: studio.stands_still())
            await client.until(imports_id, lambda batch: len(batch["results"]) >= PLACES and batch["counts"]["running"])
            await site.run(first.kill)
            studio.first_worker_is_dead = True
            assert (await client.batch(runs_id))["status"] == (await client.batch(imports_id))["status"] == "running"
        await site.kill_server(0)
    finally:
        await site.run(first.stop)
    studio.let_imports_go.set()
    second = await site.run(lambda: Worker(site.environment))
    try:
        async with site.http() as http:
            client = Client(http)
            runs = await client.until(runs_id, lambda batch: batch["status"] != "running")
            imports = await client.until(imports_id, lambda batch: batch["status"] != "running")
            again = await start_import(client, studio, workflow["id"], names)
            twice = await client.until(again, lambda batch: batch["status"] != "running")
    finally:
        await site.run(second.stop)
    assert (runs["counts"]["completed"], imports["counts"]["completed"]) == (RUNS, IMPORTS), (runs, imports)
    assert (twice["counts"]["skipped"], twice["errors"]) == (IMPORTS, [])
    assert len(studio.jobs) == len(set(studio.jobs.values())) == RUNS
    assert studio.peak == PLACES
    assert 1 < studio.fetching_peak <= PLACES  # whether the third came in time is the machine's to say
    assert len(await site.fetch("SELECT FROM renders")) == RUNS + IMPORTS
    document = await site.export(workflow["id"])
    shown = [node["data"]["imageUrl"] for node in document["nodes"]]
    assert len(set(shown)) == RUNS + IMPORTS
    print(f"at most {studio.peak} of {PLACES} runs and {studio.fetching_peak} of {PLACES} imports at a time")


async def start(client: Client, studio: Studio, workflow_id: str, names: list[str]) -> tuple[str, str]:
    run = {"workflowId": workflow_id, "provider": "generic", "promptSpec": {"basePrompt": "a fox"}, "model": "any"}
    body = {"runs": [run | {"nodeId": name} for name in names[:RUNS]], "concurrency": PLACES}
    answer = await client.http.post("/api/runs/batch", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["batchId"], await start_import(client, studio, workflow_id, names)


async def start_import(client: Client, studio: Studio, workflow_id: str, names: list[str]) -> str:
    items = [
        {"url": f"{studio.server.url}/import/{name}.png", "designId": name, "nodeId": name, "workflowId": workflow_id}
        for name in names[RUNS:]
    ]
    answer = await client.http.post("/api/renders/import", json={"items": items, "concurrency": PLACES})
    assert answer.status_code == 202, answer.text
    batch_id: str = answer.json()["batchId"]
    return batch_id

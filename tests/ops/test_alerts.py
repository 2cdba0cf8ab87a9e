"""Each alert of docs/ops/alerts.yml fires in its outage and clears after it: with a real Prometheus and a real Easel.

Minutes in the rules are made seconds, so that it takes minutes and not hours; what they ask for stays as it is.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from canvas.client import open_canvas
from canvas.ops import Update
from tests.app.reports import signed
from tests.app.running import ADMIN_TOKEN, Worker, free_port
from tests.chaos.site import OwnServer, Site, kill
from tests.jobs.providers.sim.pictures import picture
from tests.jobs.providers.sim.server import Asked, Server, Told, told

RULES = Path(__file__).parents[2] / "docs" / "ops" / "alerts.yml"
WITHIN_S = 60.0
pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]


class Vendor:
    """A provider, and the store that pictures go to: each as ill as the test wants it."""

    def __init__(self) -> None:
        self.server = Server(self.respond)
        self.store = Server(self.keep)
        self.does = "draw"
        self.kept: dict[str, bytes] = {}
        self.store_fails = False
        self.wants_no_notices = False

    async def respond(self, asked: Asked) -> Told:
        if asked.path.startswith("/out/"):
            return Told(picture(), content_type="image/png")
        if asked.path == "/hook":
            return Told(status=410 if self.wants_no_notices else 204)
        match self.does:
            case "break":
                return told({"error": "down"}, 500)
            case "hang" if asked.method == "POST" and asked.body:
                return told({"job_id": f"job-{asked.json()['jobId']}"}, 202)
            case "hang":
                return told({"job_id": asked.path.rpartition("/")[2], "status": "running"})
        return told({"job_id": "one", "status": "completed", "images": [f"{self.server.url}/out/one.png"]})

    async def keep(self, asked: Asked) -> Told:
        """As much of S3 as a picture needs."""
        if self.store_fails:
            return told("no", 403)
        if asked.method == "PUT":
            self.kept[asked.path] = asked.body
            return Told(headers={"ETag": '"one"'})
        if asked.method == "DELETE":
            return Told(status=204)
        if asked.path not in self.kept:
            return Told(status=404)
        headers = {"ETag": '"one"', "Last-Modified": "Fri, 27 Nov 2026 00:00:00 GMT"}
        return Told(self.kept[asked.path] if asked.method == "GET" else b"", headers=headers)


class Watch:
    """Prometheus, and what it says is firing."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def firing(self) -> set[str]:
        answer = (await self._http.get("/api/v1/alerts")).raise_for_status().json()
        return {one["labels"]["alertname"] for one in answer["data"]["alerts"] if one["state"] == "firing"}

    async def until(self, *names: str, fires: bool) -> None:
        try:
            async with asyncio.timeout(WITHIN_S):
                while (await self.firing()).intersection(names) != (set(names) if fires else set()):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise AssertionError(f"{names}: wanted {fires=}, firing are {await self.firing()}") from None
        print(f"{', '.join(names)}: {'fires' if fires else 'cleared'}")


@asynccontextmanager
async def prometheus(folder: Path, server: str, worker_port: int) -> AsyncIterator[Watch]:
    port = free_port()
    (folder / "alerts.yml").write_text(sooner(RULES.read_text()))
    targets = {"easel": server.removeprefix("http://"), "easel-worker": f"127.0.0.1:{worker_port}"}
    jobs = [{"job_name": name, "static_configs": [{"targets": [target]}]} for name, target in targets.items()]
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = {"global": every, "rule_files": ["alerts.yml"], "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    argv = [os.environ["EASEL_TEST_PROMETHEUS"], f"--config.file={folder / 'prometheus.yml'}"]
    argv += [f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = await asyncio.create_subprocess_exec(*argv, stderr=subprocess.DEVNULL)
    watch = Watch(f"http://127.0.0.1:{port}")
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    await watch.firing()
                    break
                except httpx.HTTPError:
                    await asyncio.sleep(0.1)
        yield watch
    finally:
        await watch.close()
        process.terminate()
        await process.wait()


def sooner(rules: str) -> str:
    """`for: 5m` becomes 1 s, `[10m]` 10 s, and a run is late after 3 s."""
    rules = re.sub(r"for: \d+m", "for: 1s", rules)
    rules = re.sub(r"\[\d+[mh]\]", "[10s]", rules)
    return rules.replace("easel_oldest_due_seconds) > 300", "easel_oldest_due_seconds) > 3")


class Scene:
    def __init__(self, site: Site, vendor: Vendor, watch: Watch, http: httpx.AsyncClient, worker_port: int) -> None:
        self.site, self.vendor, self.watch, self.http, self._worker_port = site, vendor, watch, http, worker_port
        self.worker: Worker | None = None
        self._number = 0

    async def hire(self) -> None:
        environment = self.site.environment | {"EASEL_METRICS_PORT": str(self._worker_port)}
        self.worker = await self.site.run(lambda: Worker(environment))

    async def dismiss(self) -> None:
        if self.worker is not None:
            await self.site.run(self.worker.kill)
            await self.site.run(self.worker.stop)
            self.worker = None

    async def run(self, provider: str = "generic") -> str:
        self._number += 1
        nodes = [{"id": "n", "position": {"x": 0, "y": 0}, "data": {}}]
        workflow = (
            (await self.http.post("/api/workflows", json={"name": "W", "nodes": nodes})).raise_for_status().json()
        )
        body = {"workflowId": workflow["id"], "nodeId": "n", "provider": provider, "promptSpec": {"basePrompt": "fox"}}
        model = {"model": "any"} if provider == "generic" else {}
        answer = await self.http.post("/api/runs", json=body | model)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["jobId"]
        return job_id

    def replay_all(self) -> None:
        """As an operator does."""
        argv = [sys.executable, "-m", "app.cli", "runs", "replay", "--all"]
        subprocess.run(argv, env=os.environ | self.site.environment, check=True, capture_output=True, timeout=60)

    async def keeps(self, act: Callable[[], Awaitable[object]], *names: str) -> None:
        """What the alerts speak of goes on until they fire."""

        async def repeat() -> None:
            while True:
                await act()
                await asyncio.sleep(0.3)

        task = asyncio.create_task(repeat())
        try:
            firing = asyncio.create_task(self.watch.until(*names, fires=True))
            await asyncio.wait({task, firing}, return_when=asyncio.FIRST_COMPLETED)
            await (firing if firing.done() else task)
        finally:
            task.cancel()


def test_every_alert_fires_in_its_outage_and_clears_after_it(tmp_path: Path) -> None:
    if not os.environ.get("EASEL_TEST_PROMETHEUS"):
        pytest.skip("there is no Prometheus here: `make soak` unpacks Debian's where apt is at hand")

    async def whole() -> None:
        vendor = Vendor()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(vendor.server)
            await stack.enter_async_context(vendor.store)
            site = Site(tmp_path / "site")
            stack.push_async_callback(site.stop)
            await site.start(1, **settings(vendor))
            worker_port = free_port()
            watch = await stack.enter_async_context(prometheus(tmp_path, site.urls()[0], worker_port))
            http = await stack.enter_async_context(site.http())
            scene = Scene(site, vendor, watch, http, worker_port)
            stack.push_async_callback(scene.dismiss)
            await scene.hire()
            await watch.until("EaselNoWorker", "EaselServerDown", fires=False)
            fired = set()
            for outage in OUTAGES:
                fired |= set(await outage(scene))
            assert fired == set(re.findall(r"- alert: (\w+)", RULES.read_text())), "an alert without an outage"

    asyncio.run(whole())


def settings(vendor: Vendor) -> dict[str, str]:
    place = vendor.store.url
    return {
        "EASEL_ALLOW_PRIVATE_HOSTS": vendor.server.url.removeprefix("http://"),
        "GENERIC_PROVIDER_URL": f"{vendor.server.url}/make",
        "EASEL_NOTICE_URL": f"{vendor.server.url}/hook",
        "EASEL_NOTICE_SECRET": "whsec_b3BlcmF0b3JzLXNlY3JldC1vZi0yNC1ieXRlcw==",
        "WEBHOOK_SECRET": "whsec_c2VjcmV0LW9mLXRoZS10ZXN0cw==",
        "EASEL_STORAGE_URL": f"s3://pictures?endpoint={place}&region=us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "EASEL_LEASE_SECONDS": "2",
        "EASEL_RUN_DEADLINE_SECONDS": "2",
        "EASEL_CALL_ATTEMPTS": "1",
        "EASEL_STEP_ATTEMPTS": "1",
        "EASEL_RETRY_SECONDS": "0.1",
        "EASEL_LOCAL_PACE_SECONDS": "0",
    }


# The outages: each causes what it must, waits for its alerts, heals, waits for them to clear, and says which they were.


async def server_is_gone(scene: Scene) -> tuple[str, ...]:
    server: OwnServer = scene.site.servers[0]
    server.signal(signal.SIGSTOP)
    await scene.watch.until("EaselServerDown", fires=True)
    server.signal(signal.SIGCONT)
    await scene.watch.until("EaselServerDown", fires=False)
    return ("EaselServerDown",)


async def database_is_gone(scene: Scene) -> tuple[str, ...]:
    """While somebody edits: what cannot be stored is tried again and again."""
    names = ("EaselDatabaseDown", "EaselCommitsFailing")
    made = await scene.site.workflow(nodes=[{"id": "a", "position": {"x": 0, "y": 0}, "data": {}}])
    async with open_canvas(scene.site.urls()[0], made["id"], ADMIN_TOKEN) as canvas:
        kill(scene.site.postgres)
        push = asyncio.create_task(canvas.push(Update("node", "a", {"/data/x": 1})))
        await scene.watch.until(*names, fires=True)
        await scene.site.run(scene.site.postgres.start)
        await scene.watch.until(*names, fires=False)
        assert (await push).outcome == "commit"
    return names


async def database_is_slow(scene: Scene) -> tuple[str, ...]:
    made = await scene.site.workflow(nodes=[{"id": "a", "position": {"x": 0, "y": 0}, "data": {}}])

    async def edit_slowly() -> None:
        connection = await asyncpg.connect(scene.site.postgres.url)
        try:
            async with connection.transaction():
                await connection.execute("SELECT FROM workflows WHERE id = $1 FOR UPDATE", made["id"])
                edit = asyncio.create_task(scene.http.patch(path, json={"data": {"x": 1}}))
                await asyncio.sleep(0.6)  # the outage itself
        finally:
            await connection.close()
        assert (await edit).status_code == 200

    path = f"/api/workflows/{made['id']}/nodes/a"
    await scene.keeps(edit_slowly, "EaselCommitsSlow")
    await scene.watch.until("EaselCommitsSlow", fires=False)
    return ("EaselCommitsSlow",)


async def redis_is_gone(scene: Scene) -> tuple[str, ...]:
    kill(scene.site.redis)
    await scene.watch.until("EaselRedisDown", fires=True)
    await scene.site.run(scene.site.redis.start)
    await scene.watch.until("EaselRedisDown", fires=False)
    return ("EaselRedisDown",)


async def workers_are_gone(scene: Scene) -> tuple[str, ...]:
    names = ("EaselNoWorker", "EaselQueueStuck")
    await scene.dismiss()
    await scene.run("local")
    await scene.watch.until(*names, fires=True)
    await scene.hire()
    await scene.watch.until(*names, fires=False)
    return names


async def provider_is_down(scene: Scene) -> tuple[str, ...]:
    """Its runs are dead letters until somebody replays them."""
    names = ("EaselRunsFailing", "EaselDeadRuns")
    scene.vendor.does = "break"
    await scene.keeps(scene.run, *names)
    scene.vendor.does = "draw"
    while await scene.site.fetch("SELECT FROM runs WHERE status IN ('pending', 'running')"):  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    await scene.site.run(scene.replay_all)
    await scene.watch.until(*names, fires=False)
    return names


async def nobody_hears_of_failures(scene: Scene) -> tuple[str, ...]:
    scene.vendor.does, scene.vendor.wants_no_notices = "break", True
    await scene.run()
    await scene.watch.until("EaselNoticesUnheard", fires=True)
    scene.vendor.does, scene.vendor.wants_no_notices = "draw", False
    await scene.site.run(scene.replay_all)
    await scene.watch.until("EaselNoticesUnheard", fires=False)
    return ("EaselNoticesUnheard",)


async def provider_never_ends(scene: Scene) -> tuple[str, ...]:
    scene.vendor.does = "hang"
    await scene.run()
    await scene.watch.until("EaselPollingTimeouts", fires=True)
    scene.vendor.does = "draw"
    await scene.watch.until("EaselPollingTimeouts", fires=False)
    return ("EaselPollingTimeouts",)


async def store_is_down(scene: Scene) -> tuple[str, ...]:
    names = ("EaselStorageDown", "EaselStorageWritesFailing")
    scene.vendor.store_fails = True
    await scene.keeps(lambda: scene.run("local"), *names)
    scene.vendor.store_fails = False
    await scene.watch.until(*names, fires=False)
    return names


async def reports_are_forged(scene: Scene) -> tuple[str, ...]:
    async def forge() -> None:
        body = b'{"type": "job.completed", "data": {"job_id": "x", "status": "completed"}}'
        answer = await scene.http.post("/api/webhooks/generic", content=body, headers=signed(body, secret=b"a guess"))
        assert answer.status_code == 401

    await scene.keeps(forge, "EaselWebhooksRefused")
    await scene.watch.until("EaselWebhooksRefused", fires=False)
    return ("EaselWebhooksRefused",)


async def server_has_a_bug(scene: Scene) -> tuple[str, ...]:
    """A table that is not what the code thinks."""
    await scene.site.fetch("ALTER TABLE provider_calls RENAME TO elsewhere")

    async def ask() -> None:
        assert (await scene.http.get("/api/usage")).status_code == 500

    await scene.keeps(ask, "EaselErrors")
    await scene.site.fetch("ALTER TABLE elsewhere RENAME TO provider_calls")
    await scene.watch.until("EaselErrors", fires=False)
    return ("EaselErrors",)


OUTAGES: list[Callable[[Scene], Awaitable[tuple[str, ...]]]] = [
    server_is_gone,
    database_is_gone,
    database_is_slow,
    redis_is_gone,
    workers_are_gone,
    provider_is_down,
    nobody_hears_of_failures,
    provider_never_ends,
    store_is_down,
    reports_are_forged,
    server_has_a_bug,
]

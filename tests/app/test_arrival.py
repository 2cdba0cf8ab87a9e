"""From the moment a provider hands out a picture to the moment it is stored and shown."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from statistics import median, quantiles

import httpx
import pytest

from benchmarks.pictures import photograph
from tests.app.running import Person, Server, Worker, some_name
from tests.jobs.providers.sim.server import Asked, Told, told
from tests.jobs.providers.sim.server import Server as Vendor

pytestmark = pytest.mark.anyio

AT_ONCE = 8
SLOWEST_S, TYPICAL_S = 5.0, 1.0


class Camera:
    """A provider that answers with a photograph of 12 million pixels; `group` of them at the same moment."""

    def __init__(self, content: bytes, group: int) -> None:
        self.vendor = Vendor(self._respond)
        self.arrived_at: dict[int, float] = {}
        """By the run's seed: when it was told where its picture is."""
        self._content = content
        self._together = asyncio.Barrier(group)

    async def _respond(self, asked: Asked) -> Told:
        if asked.method == "GET":
            return Told(self._content, content_type="image/jpeg")
        number = asked.json()["promptSpec"]["seed"]
        await self._together.wait()
        self.arrived_at[number] = time.monotonic()
        return told({"status": "completed", "images": [f"{self.vendor.url}/{number}.jpg"]})


@pytest.fixture(scope="module")
def photo() -> bytes:
    return photograph()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def shown_after_s(http: httpx.AsyncClient, camera: Camera, workflow_id: str, number: int) -> float:
    """Until the run's stream has told its end and the display size has been fetched."""
    prompt = {"basePrompt": "A photograph", "seed": number}
    body = {"workflowId": workflow_id, "nodeId": f"n{number % AT_ONCE}", "provider": "generic", "promptSpec": prompt}
    record = (await http.post("/api/runs", json=body)).raise_for_status().json()
    async with http.stream("GET", f"/api/runs/{record['jobId']}/events") as events:
        async for line in events.aiter_lines():
            if line == "event: end":
                break
    done = (await http.get(f"/api/runs/{record['jobId']}")).raise_for_status().json()
    assert done["status"] == "completed", done
    renders = (await http.get("/api/renders", params={"workflowId": workflow_id, "limit": 20})).json()["items"]
    [sizes] = [render["variants"] for render in renders if render["imageUrl"] == done["imageUrl"]]
    [display] = [size["url"] for size in sizes if size["kind"] == "display"]
    assert (await http.get(display)).headers["content-type"] == "image/webp"
    shown_at = time.monotonic()
    assert len(sizes) == 3
    return shown_at - camera.arrived_at[number]


@pytest.mark.parametrize(
    ("group", "rounds"),
    [
        pytest.param(1, 2, id="alone"),
        pytest.param(AT_ONCE, 1, id="eight at once"),
        pytest.param(1, 30, id="alone, thirty times", marks=[pytest.mark.soak, pytest.mark.timeout(300)]),
        pytest.param(AT_ONCE, 25, id="eight at once, 25 times", marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
    ],
)
async def test_picture_is_shown_soon_after_it_has_come(
    own_environment: dict[str, str], photo: bytes, group: int, rounds: int
) -> None:
    """JB41: the pictures of a group come at the very same moment."""
    camera = Camera(photo, group)
    took_s: list[float] = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(camera.vendor)
        settings = own_environment | {"GENERIC_PROVIDER_URL": camera.vendor.url}
        server = await asyncio.to_thread(Server, settings)
        stack.callback(server.stop)
        worker = await asyncio.to_thread(Worker, settings)
        stack.callback(worker.stop)
        person = await asyncio.to_thread(Person, server, own_environment["EASEL_DATABASE_URL"], some_name())
        stack.callback(person.http.close)
        nodes = [{"id": f"n{number}", "position": {"x": 0, "y": 0}, "data": {}} for number in range(AT_ONCE)]
        workflow_id = await asyncio.to_thread(person.workflow, nodes=nodes, edges=[])
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=server.url, headers=person.http.headers, timeout=60, trust_env=False)
        )
        for each in range(rounds):
            numbers = range(each * group, (each + 1) * group)
            took_s += await asyncio.gather(*(shown_after_s(http, camera, workflow_id, n) for n in numbers))
    p99 = quantiles(took_s, n=100, method="inclusive")[98]
    print(
        f"{group} at once, {len(took_s)}: median {median(took_s):.2f} s, p99 {p99:.2f} s, longest {max(took_s):.2f} s"
    )

    if rounds > 2:  # a soak has the machine to itself, and enough of them to speak of times
        assert p99 < SLOWEST_S
        assert group > 1 or median(took_s) < TYPICAL_S

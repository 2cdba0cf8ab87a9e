"""`easel up` is told to end while a provider is at an order that is paid for."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.app.running import ADMIN_TOKEN
from tests.app.test_up import COMMAND, READY, environment
from tests.jobs.providers.sim.openai import OpenAI
from tests.jobs.providers.sim.server import held

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="as tests of `easel up`")]

KEY = "sk-of-the-tests"
RUN = {"nodeId": "a", "provider": "openai", "model": "gpt-image-1-mini", "promptSpec": {"basePrompt": "a fox"}}


class Easel:
    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=20, trust_env=False
        )

    async def says(self, text: str) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if text in line.decode():
                return
        raise AssertionError(f"it ended without saying {text!r}")

    async def end(self) -> int:
        """What it still says is read, or the pipe would hold it up."""
        assert self.process.stdout is not None
        await self.process.stdout.read()
        return await self.process.wait()


@asynccontextmanager
async def up(data: Path, openai: OpenAI) -> AsyncIterator[Easel]:
    settings = {
        "EASEL_ADMIN_TOKEN": ADMIN_TOKEN,
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": openai.base_url,
        "EASEL_ALLOW_PRIVATE_HOSTS": openai.server.url.removeprefix("http://"),
    }
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        env=environment(data, **settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    url = None
    while url is None:
        line = (await process.stdout.readline()).decode()
        assert line, "easel up ended without a word"
        ready = READY.fullmatch(line)
        url = ready[1] if ready else None
    easel = Easel(process, url)
    try:
        yield easel
    finally:
        await easel.http.aclose()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await easel.end()


async def ended(easel: Easel, run_id: str) -> dict[str, object]:
    """The run's record, when its stream of events is over."""
    async with easel.http.stream("GET", f"/api/runs/{run_id}/events") as events:
        async for line in events.aiter_lines():
            if line == "event: end":
                break
    record: dict[str, object] = (await easel.http.get(f"/api/runs/{run_id}")).json()
    return record


async def start(easel: Easel) -> str:
    node = {"id": "a", "type": "image_generation", "position": {"x": 0, "y": 0}, "data": {}}
    workflow = (await easel.http.post("/api/workflows", json={"name": "x", "nodes": [node]})).json()
    started = await easel.http.post("/api/runs", json=RUN | {"workflowId": workflow["id"]})
    assert started.status_code == 202, started.text
    return str(started.json()["jobId"])


async def test_order_that_is_under_way_is_waited_for_and_its_picture_kept(tmp_path: Path) -> None:
    """JB15"""
    openai, go_on = OpenAI(KEY), asyncio.Event()
    async with openai.server:
        openai.server.then(held(go_on))
        async with up(tmp_path / "data", openai) as easel:
            run_id = await start(easel)
            await openai.server.until_asked()

            easel.process.send_signal(signal.SIGTERM)
            await easel.says("A picture is being paid for")
            go_on.set()

            assert await easel.end() == 0
        async with up(tmp_path / "data", openai) as again:
            record = await ended(again, run_id)
        assert (record["status"], len(openai.server.accepted)) == ("completed", 1)


async def test_whoever_insists_is_obeyed(tmp_path: Path) -> None:
    """JB15"""
    openai = OpenAI(KEY)
    async with openai.server:
        openai.server.then(held(asyncio.Event()))
        async with up(tmp_path / "data", openai) as easel:
            await start(easel)
            await openai.server.until_asked()
            easel.process.send_signal(signal.SIGINT)
            await easel.says("A picture is being paid for")
            began = time.monotonic()

            easel.process.send_signal(signal.SIGINT)

            assert await easel.end() == 0
            assert time.monotonic() - began < 5

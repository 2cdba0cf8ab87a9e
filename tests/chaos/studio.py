"""Those who start runs and those who watch streams while things break; both come back by themselves."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import httpx

from canvas.ids import new_id
from tests.app.running import ADMIN_TOKEN
from tests.chaos.vendors import Kind

BUSY = {409, 425, 429, 502, 503, 504}
"""What a client tries again after: with an Idempotency-Key that is safe."""
HEADERS = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


class Artist:
    """Starts runs one after another; each is asked for until it is answered."""

    def __init__(self, url: str, workflow_id: str, kinds: list[Kind]) -> None:
        self._url = url
        self._workflow_id = workflow_id
        self._kinds = kinds
        self.runs: dict[int, str] = {}
        """Ids by their numbers."""
        self.tries = 0

    async def start_all(self, within_s: float, dice: random.Random) -> None:
        pause_s = within_s / len(self._kinds)
        async with httpx.AsyncClient(base_url=self._url, headers=HEADERS, timeout=10, trust_env=False) as http:
            for number, kind in enumerate(self._kinds):
                self.runs[number] = await self._start(http, number, kind)
                await asyncio.sleep(dice.uniform(0.5, 1.0) * pause_s)

    async def _start(self, http: httpx.AsyncClient, number: int, kind: Kind) -> str:
        place = {"workflowId": self._workflow_id, "nodeId": f"n{number}"}
        body = {"provider": kind.provider, "model": kind.model, "promptSpec": {"basePrompt": f"fox-{number}-"}}
        key = {"Idempotency-Key": new_id("key")}
        while True:
            self.tries += 1
            with suppress(httpx.TransportError):
                answer = await http.post("/api/runs", json=body | place, headers=key)
                if answer.status_code not in BUSY:
                    assert answer.status_code == 202, answer.text
                    return str(answer.json()["jobId"])
            await asyncio.sleep(0.2)


class Watcher:
    """Follows a workflow's events, and goes on after the last one it saw whenever the stream ends."""

    def __init__(self, url: str, workflow_id: str) -> None:
        self._url = f"{url}/api/workflows/{workflow_id}/events"
        self.seen: list[int] = []
        self.streams = 0

    async def watch(self) -> None:
        async with httpx.AsyncClient(headers=HEADERS, timeout=httpx.Timeout(20), trust_env=False) as http:
            while True:
                with suppress(httpx.TransportError):
                    await self._read(http)
                await asyncio.sleep(0.2)

    async def until(self, last: int) -> None:
        while not self.seen or self.seen[-1] < last:  # noqa: ASYNC110 - other processes decide
            await asyncio.sleep(0.1)

    async def _read(self, http: httpx.AsyncClient) -> None:
        after = {"Last-Event-ID": str(self.seen[-1])} if self.seen else {}
        async with http.stream("GET", self._url, headers={"Accept": "text/event-stream"} | after) as answer:
            if answer.status_code in BUSY:
                return
            assert answer.status_code == 200, answer
            self.streams += 1
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    self.seen.append(int(line[4:]))


def nodes(count: int) -> list[dict[str, Any]]:
    return [{"id": f"n{number}", "position": {"x": 0, "y": 0}, "data": {}} for number in range(count)]

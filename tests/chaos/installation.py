"""What tests ask of an installation, however it runs: its servers' answers, its database, what its servers logged."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

import asyncpg
import httpx

from tests.app.running import ADMIN_TOKEN

ALARMS = ("canvas.task_failed", "room.commit_broke", "room.diverged", "hub.clock_failed", "socket.failed", "Traceback")
"""What a server logs when it meets a bug of its own."""
AWAY_S = 30.0


class Installation(ABC):
    @abstractmethod
    def urls(self) -> list[str]:
        """Of each server itself."""

    @property
    @abstractmethod
    def database_url(self) -> str: ...

    @abstractmethod
    def logs(self) -> list[list[str]]:
        """The lines of each server, or of all of them."""

    def alarms(self) -> str:
        """What servers said from each alarm on."""
        told = []
        for log in self.logs():
            first = next((i for i, line in enumerate(log) if any(alarm in line for alarm in ALARMS)), None)
            told += [] if first is None else [*log[max(0, first - 2) : first + 60], "…\n"]
        return "".join(told)

    async def fetch(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Asked again while PostgreSQL is away: it may have been killed just now."""
        async with asyncio.timeout(AWAY_S):
            while True:
                with suppress(OSError, asyncpg.OperatorInterventionError, asyncpg.PostgresConnectionError):
                    return await self._fetch(query, *values)
                await asyncio.sleep(0.1)

    async def _fetch(self, query: str, *values: Any) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.database_url)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    def http(self, server: int = 0) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        return httpx.AsyncClient(base_url=self.urls()[server], headers=headers, timeout=30, trust_env=False)

    async def workflow(self, **document: Any) -> dict[str, Any]:
        async with self.http() as client:
            answer = await client.post("/api/workflows", json={"name": "Foxes"} | document)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def export(self, workflow_id: str, server: int = 0) -> dict[str, Any]:
        async with self.http(server) as client:
            answer = await client.get(f"/api/workflows/{workflow_id}")
        assert answer.status_code == 200, answer.text
        read: dict[str, Any] = answer.json()
        return read

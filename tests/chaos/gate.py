"""The test's side of `gated_worker`."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tests.app.running import Worker


class GatedWorker(Worker):
    program: ClassVar[list[str]] = ["-m", "tests.chaos.gated_worker"]


class Gate:
    """`async with Gate(folder, point) as gate`; workers with `gate.settings` stop at the point until `open`."""

    def __init__(self, folder: Path, point: str) -> None:
        self._path = folder / f"{secrets.token_hex(4)}.gate"
        self.settings = {"EASEL_TEST_GATE": f"{point}:{self._path}"}
        self.arrived: set[str] = set()
        """Runs."""
        self._news = asyncio.Condition()
        self._opened = asyncio.Event()
        self._visits: set[asyncio.Task[None]] = set()

    async def until_arrived(self, runs: set[str]) -> None:
        async with self._news:
            await self._news.wait_for(lambda: runs <= self.arrived)

    def open(self) -> None:
        """For those who wait and those who come: a stopped worker finds it open when it goes on."""
        self._opened.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._came, self._path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)
        self._path.unlink()

    def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.create_task(self._hold(reader, writer))
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            run_id = (await reader.readline()).decode().strip()
            async with self._news:
                self.arrived.add(run_id)
                self._news.notify_all()
            await self._opened.wait()
            writer.write(b"go\n")
        finally:
            writer.close()

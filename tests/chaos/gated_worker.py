"""`easel worker` with a gate at one point of the job machine: there it says that it has come, and waits to be let on.

    EASEL_TEST_GATE=<point>:<path of a unix socket> python -m tests.chaos.gated_worker worker

and, with EASEL_TEST_PLANT=<name>, one of the bugs in `plants.py`.

The points are those of `jobs.calls.At`, and two more that leave something different behind: `reserved` (a run has a
lease, and nothing says yet that it has begun) and `put` (an original is in the object store, and no row knows it).
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import structlog

import app.worker
from app.cli import main
from jobs.call import MadePicture
from jobs.calls import Calls
from jobs.keeper import Keeper
from jobs.store.claims import Claims
from tests.chaos.plants import PLANTS, put

POINTS = ("reserved", "claimed", "intended", "sent", "accepted", "answered", "put", "kept", "stored", "completed")
POINT, _, PATH = os.environ.get("EASEL_TEST_GATE", ":").partition(":")


async def at(point: str, run_id: str | None = None) -> None:
    if point != POINT:
        return
    reader, writer = await asyncio.open_unix_connection(PATH)
    try:
        writer.write(f"{run_id or structlog.contextvars.get_contextvars()['run']}\n".encode())
        await reader.readline()
    finally:
        writer.close()


class GatedCalls(Calls):
    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self.at = at


class GatedClaims(Claims):
    async def _reserve(self, *parts: Any) -> tuple[str, str, int] | None:
        reserved = await super()._reserve(*parts)
        if reserved is not None:
            await at("reserved", reserved[0])
        return reserved


async def keep(self: Keeper, *parts: Any) -> list[MadePicture]:
    made = await _keep(self, *parts)
    await at("put")
    return made


_keep = Keeper.keep

if __name__ == "__main__":
    put(app.worker, Calls=GatedCalls, Claims=GatedClaims)
    put(Keeper, keep=keep)
    if plant := os.environ.get("EASEL_TEST_PLANT"):
        PLANTS[plant]()
    main()

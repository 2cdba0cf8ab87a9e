"""The Python client against a real server that is killed under it: every push is answered, and applied once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from typing import Any

import httpx
import pytest

from canvas.client import Canvas, open_canvas
from canvas.errors import Forbidden
from canvas.ops import Add, Remove, Update
from tests.acceptance.conftest import ADMIN_TOKEN, RunningEasel

PUSHES = 60


@pytest.mark.anyio
async def test_edits_survive_a_server_that_is_killed_while_they_are_made(own_easel: RunningEasel) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    workflow_id = await new_workflow(own_easel)
    async with (
        open_canvas(own_easel.url, workflow_id, ADMIN_TOKEN) as ada,
        open_canvas(own_easel.url, workflow_id, ADMIN_TOKEN) as mara,
    ):
        heard = len(own_easel.said)
        edits = [
            asyncio.create_task(edit(canvas, name, random.Random(f"{seed}{name}")))
            for canvas, name in ((ada, "ada"), (mara, "mara"))
        ]
        await ada.until(lambda: ada.seq > PUSHES // 3)
        os.kill(own_easel.state().pids["easel serve"], signal.SIGKILL)
        await asyncio.gather(*edits)
        own_easel.wait_for("server.ready", after=heard)

        head = max(ada.seq, mara.seq)
        await ada.until(lambda: ada.seq >= head)
        await mara.until(lambda: mara.seq >= head)

        assert ada.graph.nodes_in_order() == mara.graph.nodes_in_order()
        workflow = await read(own_easel, workflow_id)
        assert workflow["nodes"] == ada.graph.nodes_in_order()
        assert workflow["seq"] == head
        log = (await read(own_easel, workflow_id + "/ops"))["items"]
        authors = [(one["by"]["clientId"], one["by"]["clientSeq"]) for one in log]
        assert len(set(authors)) == len(authors), "a push was applied twice"
        assert [one["seq"] for one in log] == list(range(1, head + 1))


async def edit(canvas: Canvas, name: str, choice: random.Random) -> None:
    mine: list[str] = []
    for number in range(PUSHES):
        kind = choice.random()
        if kind < 0.5 or not mine:
            mine.append(f"{name}{number}")
            result = await canvas.push(Add("node", {"id": mine[-1], "position": {"x": number, "y": 0}, "data": {}}))
        elif kind < 0.8:
            result = await canvas.push(Update("node", choice.choice(mine), {"/data/n": number}))
        else:
            result = await canvas.push(Remove("node", (mine.pop(choice.randrange(len(mine))),)))
        assert result.outcome != "reject", result


@pytest.mark.anyio
async def test_workflow_that_is_not_ones_own_is_said_so(easel: RunningEasel) -> None:
    with pytest.raises(Forbidden):
        async with open_canvas(easel.url, "wf_nowhere", ADMIN_TOKEN):
            pass


async def new_workflow(easel: RunningEasel) -> str:
    async with httpx.AsyncClient(base_url=easel.url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}) as client:
        answer = await client.post("/api/workflows", json={"name": "client"})
        workflow_id: str = answer.json()["id"]
        return workflow_id


async def read(easel: RunningEasel, path: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=easel.url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}) as client:
        found: dict[str, Any] = (await client.get(f"/api/workflows/{path}")).json()
        return found

"""The Python client against a real server that is killed under it: every push is answered, and applied once."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve

from canvas.client import Canvas, Shown, Skipped, open_canvas
from canvas.client.news import MAX_UNREAD
from canvas.errors import Conflict, EaselError, Forbidden, Invalid, LimitReached, NotFound, NotSignedIn, TooLarge
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


# Words that a real server says seldom


@pytest.mark.anyio
async def test_pushes_go_out_again_from_a_gap() -> None:
    """PU4: the number after a gap is not used."""
    async with scripted() as (server, canvas):
        pushes = [asyncio.create_task(canvas.push(Remove("node", (name,)))) for name in "abc"]
        asked = [await server.hears("push") for _ in pushes]
        gap = {"code": "SEQ_GAP", "detail": "Push 2 came, but 1 is next."}
        for number in (2, 3):
            await server.says(type="result", clientSeq=number, seq=0, outcome="reject", error=gap, lastClientSeq=0)

        again = [await server.hears("push") for _ in pushes]
        for number in (1, 2, 3):
            await server.says(type="result", clientSeq=number, seq=0, outcome="commit")

        assert again == asked
        assert [(await push).outcome for push in pushes] == ["commit"] * 3
        assert canvas.replica.acked == 3


@pytest.mark.anyio
async def test_push_is_answered_with_what_the_server_said_not_with_what_came_back_as_news() -> None:
    """PU2, RS1: an own transaction among the resumed ones is no answer; the rebase that follows is."""
    async with scripted() as (server, canvas):
        push = asyncio.create_task(canvas.push(Remove("node", ("a", "b"))))
        await server.hears("push")
        await server.breaks_off()
        assert (await server.hears("hello"))["resume"] == {"epoch": "e1", "seq": 0, "ackedClientSeq": 0}
        await server.welcomes(mode="resume", seq=1, lastClientSeq=0)
        effective = {"op": "remove", "kind": "node", "ids": ["a"]}
        by = {"userId": "u", "clientId": canvas.client_id, "clientSeq": 1, "origin": "user"}
        transaction = {"seq": 1, "by": by, "at": "2026-01-01T00:00:00Z", "ops": [effective]}
        await server.says(type="ops", transactions=[transaction])
        assert (await server.hears("push"))["clientSeq"] == 1
        assert not push.done()
        await server.says(type="result", clientSeq=1, seq=1, outcome="rebase", ops=[effective])

        result = await push
        assert (result.outcome, result.ops) == ("rebase", [Remove("node", ("a",))])
        assert canvas.seq == 1


@pytest.mark.anyio
async def test_another_history_gets_a_new_client_and_what_was_never_acknowledged() -> None:
    """CL5: the server was restored from a backup."""
    async with scripted() as (server, canvas):
        before = canvas.client_id
        push = asyncio.create_task(canvas.push(Remove("node", ("kept",))))
        await server.hears("push")
        await server.says(type="result", clientSeq=1, seq=0, outcome="commit")
        await push
        push = asyncio.create_task(canvas.push(Remove("node", ("again",))))
        await server.hears("push")

        await server.breaks_off(4009)
        await server.hears("hello")
        await server.welcomes(epoch="e2", lastClientSeq=0)
        hello = await server.hears("hello")
        await server.welcomes(epoch="e2", lastClientSeq=0)
        pushed = await server.hears("push")
        await server.says(type="result", clientSeq=1, seq=0, outcome="commit")

        assert hello["clientId"] == canvas.client_id != before
        assert hello["resume"] is None
        assert (pushed["clientSeq"], pushed["ops"]) == (1, [{"op": "remove", "kind": "node", "ids": ["again"]}])
        assert (await push).outcome == "commit"


@pytest.mark.anyio
async def test_missing_transaction_is_asked_for_once_and_the_push_behind_it_is_answered() -> None:
    async with scripted() as (server, canvas):
        push = asyncio.create_task(canvas.push(Remove("node", ("a",))))
        await server.hears("push")
        await server.says(type="result", clientSeq=1, seq=5, outcome="commit")
        await server.says(type="ops", transactions=[])

        assert (await push).seq == 5
        await server.hears("resync")
        await server.welcomes(seq=5, lastClientSeq=1)
        await canvas.until(lambda: canvas.seq == 5)
        assert canvas.resyncs == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "error"),
    [(4101, NotSignedIn), (4503, Forbidden), (4504, NotFound), (4509, TooLarge), (4513, LimitReached)],
)
async def test_final_goodbye_ends_everything_with_a_sentence(code: int, error: type[EaselError]) -> None:
    async with scripted() as (server, canvas):
        push = asyncio.create_task(canvas.push(Remove("node", ("a",))))
        listening = canvas.news()
        await server.hears("push")

        await server.breaks_off(code, "That is it.")

        with pytest.raises(error, match="That is it"):
            await push
        with pytest.raises(error):
            await canvas.push(Remove("node", ("b",)))
        with pytest.raises(error):
            [news async for news in listening]


@pytest.mark.anyio
async def test_given_client_id_goes_on_counting_and_ends_when_another_takes_it() -> None:
    """CL1. Under an id of our own making nobody else can come: then it is a late word about our own old connection."""
    async with scripted(client_id="agent", last=17) as (server, canvas):
        push = asyncio.create_task(canvas.push(Remove("node", ("a",))))
        assert (await server.hears("push"))["clientSeq"] == 18

        await server.breaks_off(4010, "This tab has opened another connection.")

        with pytest.raises(Conflict, match="another connection"):
            await push
    async with scripted() as (server, canvas):
        await server.breaks_off(4010)
        assert (await server.hears("hello"))["clientId"] == canvas.client_id


@pytest.mark.anyio
async def test_news_that_nobody_reads_are_left_out_and_counted() -> None:
    async with scripted() as (server, canvas):
        listening = canvas.news()
        for number in range(MAX_UNREAD + 5):
            await server.says(type="frame", presence={"s": {"cursor": {"x": number, "y": 0}}})
        await server.says(type="role", role="viewer")
        await canvas.until(lambda: canvas.role == "viewer")

        first, second = await anext(listening), await anext(listening)

        assert isinstance(first, Skipped)
        assert first.count == 6  # somebody who joined, and five of their moves
        assert isinstance(second, Shown)


@pytest.mark.anyio
async def test_presence_is_said_again_after_a_break() -> None:
    async with scripted() as (server, canvas):
        canvas.presence.set(cursor={"x": 1, "y": 2}, drag={"a": {"x": 0, "y": 0}})
        await server.hears("presence")

        await server.breaks_off()
        await server.hears("hello")
        await server.welcomes(mode="resume")

        assert (await server.hears("presence"))["set"] == {"cursor": {"x": 1, "y": 2}}


@pytest.mark.anyio
async def test_what_no_server_takes_is_refused_here() -> None:
    with pytest.raises(Invalid, match="no address"):
        Canvas("127.0.0.1:8000", "wf", "token")
    async with scripted() as (_, canvas):
        with pytest.raises(TooLarge):
            await canvas.push(Update("node", "a", {"/data/text": "x" * (4 << 20)}))
        with pytest.raises(Invalid):
            await canvas.push(Add("node", "no record"))  # type: ignore[arg-type]


class ScriptedServer:
    """Says what the test wants said, one connection after the other."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._socket: ServerConnection | None = None

    async def carry(self, socket: ServerConnection) -> None:
        self._socket = socket
        async for message in socket:
            self.heard.put_nowait(json.loads(message))

    async def hears(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            message = await self.heard.get()
        assert message["type"] == kind, message
        return message

    async def says(self, **message: Any) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps(message))

    async def welcomes(self, mode: str = "snapshot", epoch: str = "e1", seq: int = 0, **words: Any) -> None:
        await self.says(
            type="welcome", protocol=1, sessionId="me", role="editor", epoch=epoch, seq=seq, mode=mode, **words
        )
        if mode == "snapshot":
            await self.says(type="snapshot", part=1, parts=1, nodes=[], edges=[])

    async def breaks_off(self, code: int = 1011, reason: str = "") -> None:
        assert self._socket is not None
        await self._socket.close(code, reason)


@asynccontextmanager
async def scripted(client_id: str | None = None, last: int = 0) -> AsyncIterator[tuple[ScriptedServer, Canvas]]:
    """A canvas that has its empty document."""
    server = ScriptedServer()
    async with serve(server.carry, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        async with Canvas(f"http://127.0.0.1:{port}", "wf", "token", client_id=client_id) as canvas:
            await server.hears("hello")
            await server.welcomes(lastClientSeq=last)
            await canvas.until(lambda: canvas.replica.is_whole)
            yield server, canvas

"""The load generator's window: no more moves on their way than it allows, and the next as soon as one has arrived."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

GENERATOR = Path(__file__).parents[2] / "benchmarks"
WINDOW = 3
SILENCE_S = 0.05


@pytest.fixture
def program(tmp_path: Path) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("the load generator is C: it needs gcc")
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "loadgen", GENERATOR / "loadgen.c", "-lz"], check=True)
    return tmp_path / "loadgen"


@pytest.mark.anyio
async def test_next_move_waits_until_those_before_have_arrived(program: Path) -> None:
    together: list[int] = []
    clients: list[ServerConnection] = []

    async def relay(socket: ServerConnection) -> None:
        """Passes on what came once nothing more comes, all at once."""
        clients.append(socket)
        came: list[str | bytes] = []
        while True:
            try:
                async with asyncio.timeout(SILENCE_S if came else None):
                    came.append(await socket.recv())
            except TimeoutError:
                together.append(len(came))
                for client in clients:
                    if client is not socket:
                        for each in came:
                            await client.send(each)
                came = []

    async with serve(relay, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        words = {"--port": port, "--path": "/room", "--clients": 3, "--warmup": 0, "--secs": 1, "--window": WINDOW}
        command = [str(program), *(str(word) for pair in words.items() for word in pair)]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        said, _ = await process.communicate()

    seen = json.loads(said)
    assert seen["delivered"] == seen["expected"] == 2 * seen["sent"] > 0
    assert set(together[:-1]) == {WINDOW}, "the last ones are those that were under way when the time was up"
    assert len(together) > 5

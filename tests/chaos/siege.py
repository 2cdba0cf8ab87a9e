"""`python -m tests.chaos.siege PORT WORKFLOW`: what somebody without an account can do to a server, until ended.

2 000 connections that say nothing, as many as it takes to keep them; bodies that come drop by drop; bombs. It says
"ready" when all of them are there.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys

IDLE, SLOW, BOMBERS = 2_000, 100, 4
HANDSHAKE = (
    "GET /ws/workflows/{} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
POST = "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
BOMBS = [
    b"[" * 100_000,
    b'{"name": "' + b"\\ud800" * 1_000 + b'"}',
    b'{"' + b"k" * 1_000_000 + b'": 1}',
    b'{"name": NaN}',
    b'{"nodes": [' + b"{}," * 30_000 + b"{}]}",
]


async def idle(port: int, began: asyncio.Semaphore) -> None:
    for number in itertools.count():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if number == 0:
            began.release()
        try:
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def drip(port: int, workflow_id: str, number: int) -> None:
    """Of each kind a third: a head, a body, a socket without a hello."""
    post = POST.format("/api/webhooks/generic", 1_000_000) + "{"
    first, drop = [
        (b"GET /api/me HTTP/1.1\r\n", b"X-A: 1\r\n"),
        (post.encode(), b" "),
        (HANDSHAKE.format(workflow_id).encode(), b""),
    ][number % 3]
    while True:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(first)
            while not writer.is_closing():
                await asyncio.sleep(random.uniform(0.5, 1.5))
                writer.write(drop)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def bomb(port: int) -> None:
    for body in itertools.cycle(BOMBS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = POST.format("/api/workflows", len(body))
        try:
            writer.write(head.encode() + body)
            await writer.drain()
            await reader.read(100)
        except ConnectionError:
            pass
        finally:
            writer.close()
        await asyncio.sleep(0.1)


async def besiege(port: int, workflow_id: str) -> None:
    began = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        for number in range(IDLE):
            group.create_task(idle(port, began))
            if number % 100 == 0:
                await asyncio.sleep(0.05)
        for number in range(SLOW):
            group.create_task(drip(port, workflow_id, number))
        for _ in range(BOMBERS):
            group.create_task(bomb(port))
        for _ in range(IDLE):
            await began.acquire()
        print("ready", flush=True)


if __name__ == "__main__":
    asyncio.run(besiege(int(sys.argv[1]), sys.argv[2]))

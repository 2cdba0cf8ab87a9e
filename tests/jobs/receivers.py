"""Receivers of notices at real sockets, and an internet in which each has a public address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from jobs.guarded import open_transport
from jobs.webhooks.delivery import Delivery
from tests.jobs.test_downloads import to_loopback


class Receiver:
    """Reads whole requests and answers each with the status that is next, the last one for ever."""

    def __init__(self, *statuses: int, headers: str = "") -> None:
        self.statuses = list(statuses) or [204]
        self.headers = headers
        self.got: list[Delivery] = []
        self.port = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.waiting = 0
        self.arrived = asyncio.Semaphore(0)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            assert head == "POST /hook HTTP/1.1"
            fields = (line.partition(": ") for line in lines if line)
            headers = {name.lower(): value for name, _, value in fields}
            self.got.append(Delivery(headers, await reader.readexactly(int(headers["content-length"]))))
            self.waiting += 1
            self.arrived.release()
            await self.answers.wait()
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            writer.write(f"HTTP/1.1 {status} X\r\n{self.headers}Content-Length: 2\r\n\r\nok".encode())
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    @property
    def url(self) -> str:
        """Public, as owners' must be."""
        return f"https://hook-{self.port}.test/hook"

    @property
    def private_url(self) -> str:
        return f"http://hook.test:{self.port}/hook"

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.got]


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[Receiver]:
    server = await asyncio.start_server(receiver, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.answers.set()
        server.close()
        await server.wait_closed()


async def internet(host: str, port: int) -> list[str]:
    """Receivers have a public address; every other name leads inside."""
    return ["8.8.8.8"] if host.startswith("hook-") else await to_loopback(host, port)


class Internet(httpx.AsyncBaseTransport):
    """What goes to a receiver's public address arrives at its socket; everything else goes where it is sent."""

    def __init__(self) -> None:
        self._inner = open_transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "8.8.8.8":
            port = int(request.headers["Host"].removeprefix("hook-").removesuffix(".test"))
            assert (request.url.scheme, request.url.port) == ("https", None)
            request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
        return await self._inner.handle_async_request(request)

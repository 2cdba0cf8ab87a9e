"""The simulated vendors' server: that it is as rude as it is told to be, and misses nothing."""

from __future__ import annotations

import asyncio

import pytest

from jobs.providers.http import Vendor, open_http
from tests.jobs.providers.sim.server import Asked, Server, Told, held, told

pytestmark = pytest.mark.anyio


async def test_simulated_vendor_tells_on_a_client_that_speaks_wrongly() -> None:
    async def respond(asked: Asked) -> Told:
        assert asked.json() == {"a": 1}, "not what was agreed"
        return told({})

    server = Server(respond)
    await server.__aenter__()
    async with open_http() as client:
        vendor = Vendor("Acme", server.url, headers={}, secrets=(), http=client)
        reply = await vendor.send("POST", "/orders", is_order=True, json={"a": 2})

    assert reply.status == 400
    with pytest.raises(AssertionError, match="POST /orders: not what was agreed"):
        await server.__aexit__(None, None, None)


async def test_fifty_orders_at_once_are_held_and_answered() -> None:
    async def respond(asked: Asked) -> Told:
        return told({})

    going_on = asyncio.Event()
    async with Server(respond) as server, open_http() as client:
        server.then(*(held(going_on) for _ in range(50)))
        vendor = Vendor("Acme", server.url, headers={}, secrets=(), http=client)
        looks = [asyncio.create_task(vendor.send("GET", f"/jobs/{number}", is_order=False)) for number in range(50)]
        await server.until_asked(50)
        assert server.connections == 50
        going_on.set()

        assert {(await look).status for look in looks} == {200}
        await server.until_quiet()


async def test_multipart_comes_byte_by_byte() -> None:
    content = bytes(range(256)) * 3 + b"\r\n--no-boundary\r\n\n\r"

    async def respond(asked: Asked) -> Told:
        [text, file] = asked.parts()
        assert (text.name, text.content, text.filename) == ("a", "ö".encode(), None)
        assert (file.name, file.content, file.filename) == ("b", content, "1.png")
        assert file.content_type == "image/png"
        return told(asked.fields())

    async with Server(respond) as server, open_http() as client:
        vendor = Vendor("Acme", server.url, headers={}, secrets=(), http=client)
        reply = await vendor.send(
            "POST", "/", is_order=True, files=[("a", (None, "ö")), ("b", ("1.png", content, "image/png"))]
        )

    assert reply.json() == {"a": "ö"}

"""A vendor's end of the wire: real HTTP/1.1 on loopback, which does what a test tells it, however rude.

A simulated vendor is a function from a request to an answer. A test may lay down a `Fault` for a request to come: a
function that takes its `Turn` instead. `accepted` holds the orders that a vendor would have charged for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import h11
import msgspec


class Part(msgspec.Struct, frozen=True):
    """Of a multipart request."""

    name: str
    content: bytes
    content_type: str
    filename: str | None


class Asked(msgspec.Struct, frozen=True):
    """One request, as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def parts(self) -> list[Part]:
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        message = BytesParser(policy=HTTP).parsebytes(head + self.body)
        return [_part(part) for part in message.walk() if not part.is_multipart()]

    def fields(self) -> dict[str, str]:
        """The multipart's parts that are no files."""
        return {part.name: part.content.decode() for part in self.parts() if part.filename is None}


class Told(msgspec.Struct, frozen=True):
    """An answer."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


def told(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Told:
    """An answer in JSON."""
    return Told(json.dumps(value).encode(), status, headers=headers or {})


Respond = Callable[[Asked], Awaitable[Told]]


class Turn:
    """One request under way, in the hands of a fault."""

    def __init__(self, asked: Asked, respond: Respond, wire: _Wire) -> None:
        self.asked = asked
        self._respond = respond
        self._wire = wire

    async def answer(self) -> Told:
        """What the vendor would say. From here on the order is accepted, if it is a good one."""
        return await self._respond(self.asked)

    async def give(self, answer: Told) -> None:
        await self.begin(answer)
        await self.write(answer.body)
        await self.end()

    async def begin(self, answer: Told) -> None:
        length = {"Content-Length": str(len(answer.body)), "Content-Type": answer.content_type}
        headers = {**length, **answer.headers}
        await self._wire.send(h11.Response(status_code=answer.status, headers=list(headers.items())))

    async def write(self, piece: bytes) -> None:
        await self._wire.send(h11.Data(data=piece))

    async def end(self) -> None:
        await self._wire.send(h11.EndOfMessage())

    async def gone(self) -> None:
        """Until the other side has hung up."""
        await self._wire.gone()

    def hang_up(self) -> None:
        self._wire.close()


Fault = Callable[[Turn], Awaitable[None]]


async def cut_before(turn: Turn) -> None:
    """Hang up on the request; nothing is accepted."""
    turn.hang_up()


async def cut_after(turn: Turn) -> None:
    """Accept the order, and hang up without a word."""
    await turn.answer()
    turn.hang_up()


async def cut_in_body(turn: Turn) -> None:
    """Accept the order, and hang up in the middle of the answer."""
    answer = await turn.answer()
    await turn.begin(answer)
    await turn.write(answer.body[: len(answer.body) // 2])
    turn.hang_up()


async def never(turn: Turn) -> None:
    """Accept the order, and say nothing until the other side hangs up."""
    await turn.answer()
    await turn.gone()


def instead(answer: Told) -> Fault:
    """Say this; nothing is accepted."""

    async def fault(turn: Turn) -> None:
        await turn.give(answer)

    return fault


def refused(status: int, body: Any = None, **headers: str) -> Fault:
    """`Retry_After="7"` gives the header Retry-After."""
    return instead(told(body, status, {name.replace("_", "-"): text for name, text in headers.items()}))


def changed(change: Callable[[Told], Told]) -> Fault:
    """Accept the order, and say something else about it."""

    async def fault(turn: Turn) -> None:
        await turn.give(change(await turn.answer()))

    return fault


def held(until: asyncio.Event) -> Fault:
    """Accept the order, and answer when told."""

    async def fault(turn: Turn) -> None:
        answer = await turn.answer()
        await until.wait()
        await turn.give(answer)

    return fault


class Server:
    """`async with Server(respond) as server`: at `server.url`, a free port. Leaving it raises what it found wrong."""

    def __init__(self, respond: Respond) -> None:
        self.asked: list[Asked] = []
        self.accepted: list[Asked] = []
        self.complaints: list[str] = []
        """What no client should have sent: leaving the block raises them."""
        self.arrived = asyncio.Condition()
        self.trouble: Callable[[Asked], Fault | None] = lambda _: None
        """Where no fault is laid down: one by chance, perhaps."""
        self._respond = respond
        self._faults: list[tuple[str, Fault]] = []
        self._turns: set[asyncio.Task[None]] = set()
        self._open = 0

    @property
    def url(self) -> str:
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    @property
    def connections(self) -> int:
        return self._open

    def then(self, *faults: Fault, on: str = "") -> None:
        """For the next requests, one each, whose path holds `on`."""
        self._faults += [(on, fault) for fault in faults]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a claim about this server to hold: it is looked at when requests come and connections end."""
        async with self.arrived:
            await self.arrived.wait_for(holds)

    async def until_asked(self, times: int = 1) -> None:
        await self.until(lambda: len(self.asked) >= times)

    async def until_quiet(self) -> None:
        """Nobody is connected."""
        await self.until(lambda: self._open == 0)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for turn in self._turns:
            turn.cancel()
        await asyncio.gather(*self._turns, return_exceptions=True)
        await self._server.wait_closed()
        if error is None and self.complaints:
            raise AssertionError("\n".join(self.complaints))

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(_Wire(reader, writer)))
        self._turns.add(task)
        task.add_done_callback(self._turns.discard)

    async def _carry(self, wire: _Wire) -> None:
        self._open += 1
        try:
            while (asked := await wire.next_request()) is not None:
                self.asked.append(asked)
                await self._tell()
                await self._take(Turn(asked, self._respond, wire))
        except (ConnectionError, h11.LocalProtocolError, h11.RemoteProtocolError):
            pass  # they have hung up, or speak no HTTP, which is theirs to do
        finally:
            wire.close()
            self._open -= 1
            await self._tell()

    async def _take(self, turn: Turn) -> None:
        fault = self._next_fault(turn.asked.path) or self.trouble(turn.asked)
        try:
            if fault is not None:
                await fault(turn)
            else:
                await turn.give(await turn.answer())
        except AssertionError as error:
            self.complaints.append(f"{turn.asked.method} {turn.asked.path}: {error}")
            await turn.give(told({"error": "this client speaks another language"}, 400))

    def _next_fault(self, path: str) -> Fault | None:
        for index, (on, fault) in enumerate(self._faults):
            if on in path:
                del self._faults[index]
                return fault
        return None

    async def _tell(self) -> None:
        async with self.arrived:
            self.arrived.notify_all()


class _Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def next_request(self) -> Asked | None:
        """None when the connection is at its end."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        if self._http.our_state is not h11.IDLE:
            return None
        head, body = None, bytearray()
        while True:
            match event := self._http.next_event():
                case h11.NEED_DATA:
                    self._http.receive_data(await self._reader.read(65_536))
                case h11.Request():
                    head = event
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage() if head is not None:
                    return _asked(head, bytes(body))
                case _:
                    return None

    async def send(self, event: h11.Response | h11.Data | h11.EndOfMessage) -> None:
        self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()

    async def gone(self) -> None:
        while await self._reader.read(65_536):
            pass

    def close(self) -> None:
        with suppress(RuntimeError):  # the loop is closing too
            self._writer.close()


def _part(part: Message) -> Part:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes), "a part of a multipart body without content"
    return Part(
        name=str(part.get_param("name", header="content-disposition")),
        content=content,
        content_type=part.get_content_type(),
        filename=part.get_filename(),
    )


def _asked(head: h11.Request, body: bytes) -> Asked:
    target = urlsplit(head.target.decode())
    return Asked(
        method=head.method.decode(),
        path=target.path,
        query=dict(parse_qsl(target.query)),
        headers={name.decode().lower(): value.decode("latin-1") for name, value in head.headers},
        body=body,
    )

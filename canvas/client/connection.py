"""A connection that stays: it goes on where it stopped after a break, and sends again what was not answered."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from canvas import protocol
from canvas.client.replica import Gap, Replica, Welcome
from canvas.errors import EaselError, Forbidden, NotFound, NotSignedIn
from canvas.graph import Graph
from canvas.ops import Op
from canvas.protocol import Result, Transaction

_FINAL = {protocol.FORBIDDEN: Forbidden, protocol.DELETED: NotFound, protocol.SIGN_IN: NotSignedIn}
_transactions = msgspec.json.Decoder(list[Transaction])


class _Heard(msgspec.Struct, rename="camel"):
    """A server message with its heavy parts left encoded until they are wanted."""

    type: str
    transactions: msgspec.Raw = msgspec.Raw(b"[]")


class Canvas:
    """An open workflow. `graph`, `sessions` and `runs` are as the server last told them. Use `open_canvas`."""

    def __init__(self, url: str, token: str, client_id: str | None = None) -> None:
        self._url = url
        self._token = token
        self.client_id = client_id or f"py-{secrets.token_hex(8)}"
        self.replica = Replica()
        self.role = ""
        self._next_client_seq = 1
        self._waiting: dict[int, tuple[list[Op], asyncio.Future[Result]]] = {}
        self._socket: ClientConnection | None = None
        self._changed = asyncio.Condition()
        self._news: asyncio.Queue[dict[str, Any]] | None = None
        self._failed: EaselError | None = None

    @property
    def graph(self) -> Graph:
        return self.replica.graph

    @property
    def seq(self) -> int:
        return self.replica.seq

    async def push(self, *ops: Op) -> Result:
        """Commit ops; the answer comes when they are stored, or refused (`outcome` "reject").

        After a broken connection the same push is sent again under the same number, which the server answers once.
        """
        if self._failed is not None:
            raise self._failed
        number, self._next_client_seq = self._next_client_seq, self._next_client_seq + 1
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (list(ops), answer)
        await self._send_push(number)
        return await answer

    async def set_presence(self, **keys: Any) -> None:
        """`cursor`, `selection`, `drag`, `viewport`, `editing`; None removes one. Lost while disconnected."""
        await self._send({"type": "presence", "set": keys})

    async def until(self, condition: Any) -> None:
        """Wait until `condition()` holds; it is asked after every message. Raises what ended the connection."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._failed is not None or condition())
        if self._failed is not None:
            raise self._failed

    async def news(self) -> AsyncIterator[dict[str, Any]]:
        """Every message from now on, decoded. Raises what ended the connection."""
        self._news = asyncio.Queue()
        while self._failed is None:
            yield await self._news.get()
        raise self._failed

    async def stay(self) -> None:
        """Hold the connection until cancelled or told for good to go away."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async for socket in connect(self._url, additional_headers=headers, max_size=None):
            try:
                await self._hold(socket)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd is not None else 1006
                if code // 100 in {41, 45}:
                    reason = closed.rcvd.reason if closed.rcvd is not None else ""
                    await self._fail(_FINAL.get(code, EaselError)(reason or "The server has closed this canvas."))
                    return
            finally:
                self._socket = None

    async def _hold(self, socket: ClientConnection) -> None:
        replica = self.replica
        resume = None
        if replica.is_whole:
            resume = {"epoch": replica.epoch, "seq": replica.seq, "ackedClientSeq": replica.acked}
        hello = {"type": "hello", "protocol": protocol.PROTOCOL, "clientId": self.client_id, "resume": resume}
        await socket.send(msgspec.json.encode(hello).decode())
        async for message in socket:
            await self._take_in(socket, message)
        await socket.wait_closed()
        raise ConnectionClosed(socket.protocol.close_rcvd, socket.protocol.close_sent)

    async def _take_in(self, socket: ClientConnection, message: str | bytes) -> None:
        heard = msgspec.json.decode(message, type=_Heard)
        try:
            await self._dispatch(socket, heard, message)
        except Gap:
            await socket.send('{"type":"resync"}')
        async with self._changed:
            self._changed.notify_all()
        if self._news is not None:
            self._news.put_nowait(msgspec.json.decode(message))

    async def _dispatch(self, socket: ClientConnection, heard: _Heard, message: str | bytes) -> None:
        match heard.type:
            case "welcome":
                await self._welcomed(socket, msgspec.json.decode(message, type=Welcome))
            case "snapshot":
                self.replica.snapshot(msgspec.json.decode(message))
            case "ops":
                for transaction in _transactions.decode(heard.transactions):
                    self._confirm(transaction)
                    self.replica.transaction(transaction)
            case "result":
                self._settle(msgspec.json.decode(message, type=Result))
            case "frame":
                self.replica.frame(msgspec.json.decode(message))
            case "role":
                self.role = msgspec.json.decode(message)["role"]
            case _:
                pass  # notices, pongs and what a newer server may say

    async def _welcomed(self, socket: ClientConnection, welcome: Welcome) -> None:
        self.role = welcome.role
        self.replica.welcome(welcome)
        self._next_client_seq = max(self._next_client_seq, welcome.last_client_seq + 1)
        for result in welcome.results:
            self._answer(result)
        self._socket = socket
        for number in sorted(self._waiting):
            await self._send_push(number)

    def _confirm(self, transaction: Transaction) -> None:
        """A transaction of ours that reached us as news: its result was lost with an old connection."""
        if transaction.by.client_id == self.client_id and transaction.by.client_seq in self._waiting:
            self._answer(Result(transaction.by.client_seq, transaction.seq, "commit"))

    def _settle(self, result: Result) -> None:
        waiting = self._waiting.get(result.client_seq or 0)
        if waiting is not None:
            self.replica.result(result, waiting[0])
        self._answer(result)

    def _answer(self, result: Result) -> None:
        self.replica.acked = max(self.replica.acked, result.client_seq or 0)
        waiting = self._waiting.pop(result.client_seq or 0, None)
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(result)

    async def _send_push(self, number: int) -> None:
        await self._send({"type": "push", "clientSeq": number, "ops": self._waiting[number][0]})

    async def _send(self, message: dict[str, Any]) -> None:
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):  # it is sent again after the next welcome
                await self._socket.send(protocol.encode(message).decode())

    async def _fail(self, error: EaselError) -> None:
        self._failed = error
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def open_canvas(
    base_url: str, workflow_id: str, token: str, *, client_id: str | None = None
) -> AsyncIterator[Canvas]:
    """An open workflow whose document is whole. `base_url`: `http(s)://host:port` of an Easel."""
    url = f"ws{base_url.removeprefix('http')}/ws/workflows/{workflow_id}"
    canvas = Canvas(url, token, client_id)
    staying = asyncio.create_task(canvas.stay(), name=f"canvas {workflow_id}")
    try:
        await canvas.until(lambda: canvas.replica.is_whole)
        yield canvas
    finally:
        staying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await staying

"""A connection that stays: it goes on where it stopped after a break, and sends again what was not answered."""

from __future__ import annotations

import asyncio
import contextlib
import random
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from canvas import protocol
from canvas.client.news import Connected, Disconnected, Edited, Joined, Left, Listening, News, Ran, Reloaded, Shown
from canvas.client.pushes import Pushes
from canvas.client.replica import Gap, Replica, Welcome
from canvas.errors import Conflict, EaselError, Forbidden, Invalid, LimitReached, NotFound, NotSignedIn, TooLarge
from canvas.graph import Graph
from canvas.ops import Op
from canvas.protocol import Result, Transaction

MAX_UNANSWERED = 500  # pushes on the way; more wait in `push`
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 10.0
_ENVELOPE_BYTES = 64  # of a push, around its ops
CLOSE_S = 1.0  # what a server that hangs may delay a goodbye by

_FINAL: dict[int, type[EaselError]] = {
    protocol.FORBIDDEN: Forbidden,
    protocol.DELETED: NotFound,
    protocol.TOO_LARGE: TooLarge,
    protocol.ABUSE: LimitReached,
}
_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_transactions = msgspec.json.Decoder(list[Transaction])


class _Heard(msgspec.Struct):
    """A server message with its heavy parts left encoded until they are wanted."""

    type: str
    transactions: msgspec.Raw = msgspec.Raw(b"[]")


class _RenewedError(Exception):
    """We have another clientId now: hang up and say hello again."""


class Presence:
    """What others see of this session (`set`), and what it sees of them (`others`)."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self.others: dict[str, dict[str, Any]] = {}
        """By session id: `user`, and the keys that it has set."""
        self.mine: dict[str, Any] = {}
        self._send = send

    def set(self, **keys: Any) -> None:
        """`cursor`, `selection`, `drag`, `viewport`, `editing`; None removes one. Said again after a break."""
        self.mine = {key: value for key, value in (self.mine | keys).items() if value is not None}
        self._send(keys)


class Canvas:
    """An open workflow. `graph`, `presence.others` and `runs` are as the server last told them.

    `async with Canvas(…)` begins to connect, and goes on trying; `open_canvas` also waits for the document.
    """

    def __init__(self, base_url: str, workflow_id: str, token: str, *, client_id: str | None = None) -> None:
        """Raises Invalid for what is no `http(s)://host:port`."""
        self._url = _address(base_url, workflow_id)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._has_own_id = client_id is None
        self._pushes = Pushes(client_id)
        self._space = asyncio.Semaphore(MAX_UNANSWERED)
        self.replica = Replica()
        self.presence = Presence(self._show)
        self.role = ""
        self.session_id = ""
        self.connections = 0
        """How often a server has said welcome."""
        self.resyncs = 0
        """How often this replica had to be loaded afresh because what came did not fit it."""
        self._is_resyncing = False
        self._attempt = 0
        self._unshown: dict[str, Any] = {}
        self._has_work = self._pushes.has_unsent
        self._changed = asyncio.Condition()
        self._listening: weakref.WeakSet[Listening] = weakref.WeakSet()
        self._ended: EaselError | None = None
        self._staying: asyncio.Task[None] | None = None

    @property
    def graph(self) -> Graph:
        return self.replica.graph

    @property
    def seq(self) -> int:
        return self.replica.seq

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        return self.replica.runs

    @property
    def client_id(self) -> str:
        return self._pushes.client_id

    async def push(self, *ops: Op) -> Result:
        """Commit ops; the answer comes when they are stored, or refused (`outcome` "reject").

        Raises TooLarge and Invalid for what no server takes, and what ended the connection for good. After a broken
        connection the same push goes out again under the same number, which the server answers once.
        """
        encoded = protocol.encode(ops)
        if len(encoded) > protocol.MAX_MESSAGE_BYTES - _ENVELOPE_BYTES:
            raise TooLarge(f"A push has at most {protocol.MAX_MESSAGE_BYTES >> 20} MiB. Send it in several.")
        own = protocol.decode_ops(encoded)  # a copy: the caller may go on changing its records
        async with self._space:
            if self._ended is not None:
                raise self._ended
            return await self._pushes.add(own)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition()` holds; it is asked after every message. Raises what ended the connection."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._ended is not None or condition())
        if self._ended is not None:
            raise self._ended

    def news(self) -> Listening:
        """What happens from now on, to be read with `async for`; it ends with the connection."""
        listening = Listening()
        if self._ended is not None:
            listening.end(self._ended)
        self._listening.add(listening)
        return listening

    async def __aenter__(self) -> Self:
        self._staying = asyncio.create_task(self._stay(), name=f"canvas {self._url}")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType) -> None:
        assert self._staying is not None
        self._staying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._staying

    # Staying connected

    async def _stay(self) -> None:
        """Until it is cancelled, or told for good to go away."""
        error: EaselError | None = None
        try:
            while True:
                await self._pause(await self._visit())
        except EaselError as final:
            error = final
        finally:
            closed = EaselError("This canvas was closed here.", code="CANVAS_CLOSED")
            self._ended = closed if error is None else error
            self._pushes.refuse_all(self._ended)
            for listening in self._listening:
                listening.end(error)
            async with self._changed:
                self._changed.notify_all()

    async def _pause(self, reason: str) -> None:
        """Twice as long each time, and by chance: a thousand programs must not come back in step."""
        ceiling = min(LAST_RETRY_S, FIRST_RETRY_S * 2 ** min(self._attempt, 10))
        pause_s = random.uniform(ceiling / 2, ceiling)  # noqa: S311 - nobody gains from guessing it
        self._attempt += 1
        self._tell(Disconnected(reason, round(pause_s, 3)))
        await asyncio.sleep(pause_s)

    async def _visit(self) -> str:
        """One connection, from dialling to its end; answers why it ended. Raises EaselError when that is for good."""
        try:
            async with connect(
                self._url, additional_headers=self._headers, max_size=None, close_timeout=CLOSE_S
            ) as socket:
                await self._talk(socket)
        except _RenewedError:
            return "The server has another history of this workflow."
        except InvalidStatus as error:
            status = error.response.status_code
            if 400 <= status < 500 and status not in _TRY_AGAIN:
                raise EaselError(f"{self._url} answers with HTTP {status}. Is there an Easel?") from error
            return f"the server answers with HTTP {status}"
        except (OSError, EOFError, WebSocketException) as error:
            return str(error) or type(error).__name__
        return self._why(socket.close_code or 1006, socket.close_reason or "")

    def _why(self, code: int, reason: str) -> str:
        if code == protocol.REPLACED and not self._has_own_id:
            raise Conflict(reason or "Another program has opened this canvas with the same clientId.", code="REPLACED")
        if code // 100 == 41:
            raise NotSignedIn(reason or "This token is not valid.")
        if code // 100 == 45:
            raise _FINAL.get(code, EaselError)(reason or f"The server has closed this canvas ({code}).")
        return reason or f"the connection broke ({code})"

    async def _talk(self, socket: ClientConnection) -> None:
        sender: asyncio.Task[None] | None = None
        try:
            await socket.send(self._hello())
            async for message in socket:
                heard = msgspec.json.decode(message, type=_Heard)
                await self._take_in(socket, heard, message)
                if heard.type == "welcome" and sender is None:
                    self.connections += 1
                    sender = asyncio.create_task(self._send_on(socket), name="canvas out")
        except ConnectionClosed:
            pass  # `_why` reads its code
        finally:
            if sender is not None:
                sender.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sender
            await socket.close()  # as planned: left to `connect`, our leaving would be an internal error

    def _hello(self) -> str:
        replica, resume = self.replica, None
        if replica.is_whole:
            resume = {"epoch": replica.epoch, "seq": replica.seq, "ackedClientSeq": replica.acked}
        self._is_resyncing = False
        hello = {"type": "hello", "protocol": protocol.PROTOCOL, "clientId": self.client_id, "resume": resume}
        return protocol.encode(hello).decode()

    async def _send_on(self, socket: ClientConnection) -> None:
        """The one place that pushes, so that numbers go out in order. Ends with its connection."""
        with contextlib.suppress(ConnectionClosed):  # it goes out again after the next welcome
            while True:
                await self._has_work.wait()
                while (push := self._pushes.next_unsent()) is not None:
                    number, ops = push
                    await socket.send(protocol.encode({"type": "push", "clientSeq": number, "ops": ops}).decode())
                if self._unshown:
                    keys, self._unshown = self._unshown, {}
                    await socket.send(protocol.encode({"type": "presence", "set": keys}).decode())

    def _show(self, keys: dict[str, Any]) -> None:
        self._unshown |= keys
        self._has_work.set()

    # Hearing

    async def _take_in(self, socket: ClientConnection, heard: _Heard, message: str | bytes) -> None:
        try:
            self._dispatch(heard, message)
        except (Gap, Invalid):  # something is missing, or this replica is wrong
            self.resyncs += 1
            self._is_resyncing = True
            await socket.send('{"type":"resync"}')
        async with self._changed:
            self._changed.notify_all()

    def _dispatch(self, heard: _Heard, message: str | bytes) -> None:
        match heard.type:
            case "welcome":
                self._welcomed(msgspec.json.decode(message, type=Welcome))
            case "snapshot":
                if self.replica.snapshot(msgspec.json.decode(message)):
                    self._tell(Reloaded(self.seq))
                    self._connected()
            case "ops" if not self._is_resyncing:
                for transaction in _transactions.decode(heard.transactions):
                    if self.replica.transaction(transaction):
                        self._tell(Edited(transaction))
            case "result":
                self._settle(msgspec.json.decode(message, type=Result))
            case "frame":
                self._frame(msgspec.json.decode(message))
            case "role":
                self.role = msgspec.json.decode(message)["role"]
            case _:
                pass  # notices, pongs, what the close will say, and what a newer server may say

    def _welcomed(self, welcome: Welcome) -> None:
        is_other_history = self.replica.epoch not in {None, welcome.epoch}
        self._is_resyncing = False
        if is_other_history:
            self.replica = Replica()
            self._renew()
        if not self._pushes.was_used:
            self._pushes.begin_at(welcome.last_client_seq)
            self.replica.acked = welcome.last_client_seq
        for result in welcome.results:
            self._answer(result)
        if not self._pushes.knows(welcome.last_client_seq):
            self._renew()
        self._attempt = 0
        self.role, self.session_id = welcome.role, welcome.session_id
        self.replica.welcome(welcome)
        self.presence.others = self._others()
        self._unshown = {key: value for key, value in self.presence.mine.items() if key != "drag"}
        self._pushes.send_again()
        if welcome.mode == "resume":
            self._connected()

    def _renew(self) -> None:
        """Our numbers mean something else to this server: what was never answered goes out under a new clientId."""
        self._pushes.renew()
        self.replica.acked = 0
        raise _RenewedError

    def _connected(self) -> None:
        people = [keys["user"] for keys in self.presence.others.values() if "user" in keys]
        self._tell(Connected(self.seq, self.role, people))

    def _settle(self, result: Result) -> None:
        if result.error is not None and result.error.code == "SEQ_GAP":
            if not self._pushes.go_back(result.last_client_seq or 0):
                self._renew()
            return
        waiting = self._answer(result)
        if waiting is not None and not self._is_resyncing:
            self.replica.result(result, waiting)

    def _answer(self, result: Result) -> list[Op] | None:
        """The ops that are answered; None when nobody waits for them."""
        self.replica.acked = max(self.replica.acked, result.client_seq or 0)
        waiting = self._pushes.take(result.client_seq)
        if waiting is None:
            return None
        if not waiting.answer.done():
            waiting.answer.set_result(result)
        return waiting.ops

    def _frame(self, frame: dict[str, Any]) -> None:
        before = self.presence.others
        self.replica.frame(frame)
        self.presence.others = others = self._others()
        for session_id, keys in frame.get("presence", {}).items():
            if session_id not in others:
                continue
            user = others[session_id].get("user", {})
            if session_id not in before:
                self._tell(Joined(session_id, user))
            shown = {key: value for key, value in keys.items() if key != "user"}
            if shown:
                self._tell(Shown(session_id, user, shown))
        for session_id in before.keys() - others.keys():
            self._tell(Left(session_id, before[session_id].get("user", {})))
        for run in frame.get("runs", ()):
            self._tell(Ran(self.runs[run["jobId"]]))

    def _others(self) -> dict[str, dict[str, Any]]:
        return {sid: keys for sid, keys in self.replica.sessions.items() if sid != self.session_id}

    def _tell(self, news: News) -> None:
        for listening in self._listening:
            listening.tell(news)


def _address(base_url: str, workflow_id: str) -> str:
    url = urlsplit(base_url)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise Invalid(f"“{base_url}” is no address of an Easel: give one like http://127.0.0.1:8000.")
    return f"ws{base_url.rstrip('/').removeprefix('http')}/ws/workflows/{quote(workflow_id, safe='')}"


@asynccontextmanager
async def open_canvas(
    base_url: str, workflow_id: str, token: str, *, client_id: str | None = None
) -> AsyncIterator[Canvas]:
    """An open workflow whose document is whole. `base_url`: `http(s)://host:port` of an Easel.

    A server that is away is waited for; put `asyncio.timeout` around it to wait no longer than you like.
    """
    async with Canvas(base_url, workflow_id, token, client_id=client_id) as canvas:
        await canvas.until(lambda: canvas.replica.is_whole)
        yield canvas

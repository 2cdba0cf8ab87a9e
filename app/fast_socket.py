"""Sockets of our own server: messages go from the transport to the room and back without a queue or a task between.

uvicorn does the handshake and all that is rare (fragments, control frames, long messages, errors). Once the route has
let somebody in, `take_over` gives this module what is left: small whole messages in, ready-made frames out.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.http11 import Request

from app.framing import DEFLATED, TEXT, extent, framed, header, inflated, unmasked
from app.sockets import CLOSING_S, MAX_QUEUED_BYTES, SLOW_BYTES, Seat, turn_away
from canvas import protocol
from canvas.errors import EaselError

EXTENSION = "easel.socket"
MAX_PLAIN_BYTES = 1 << 16  # of a frame; what is longer comes in pieces, which uvicorn puts together
MASKED, CONTROL = 0x80, 0x08
TURN_MESSAGES = 64  # that one socket is heard in a row, at most some 2 ms: then all others have their turn


class _Nowhere(asyncio.Queue[Any]):
    """Where uvicorn's news of a socket goes once no app waits for it."""

    def __init__(self) -> None:
        pass

    def put_nowait(self, item: Any) -> None:
        pass


_NOWHERE = _Nowhere()


def connection_of(scope: Mapping[str, Any]) -> Connection | None:
    """None: another server than ours runs this app."""
    connection = scope.get("extensions", {}).get(EXTENSION)
    return connection if isinstance(connection, Connection) else None


class FastSocket:
    """`canvas.open_room.Socket`: writes to the transport, and keeps what that does not take."""

    __slots__ = ("_connection", "_goodbye", "_unsent", "_unsent_bytes", "is_slow", "may_deflate")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unsent: list[
            tuple[bytes, int]
        ] = []  # an empty deque has 600 bytes, and a server thousands of quiet sockets
        self._unsent_bytes = 0
        self._goodbye: tuple[int, str] | None = None
        self.is_slow = False
        self.may_deflate = False

    @property
    def is_closing(self) -> bool:
        return self._goodbye is not None

    def send(self, payload: bytes, *, is_kept: bool = False) -> bool:
        if not self.is_slow:
            self._write(payload, is_kept=is_kept)
            return True
        size = 0 if is_kept else len(payload)
        if self._unsent_bytes + size > MAX_QUEUED_BYTES and self._unsent_bytes:
            return False
        self._unsent_bytes += size
        self._unsent.append((payload, size))
        return True

    def close(self, code: int, reason: str) -> None:
        if self._goodbye is not None:
            return
        self._goodbye = (code, reason)
        if code == protocol.TOO_SLOW:  # what waits would not be read either
            self.forget()
        self._connection.close_soon()
        if not self._unsent:
            self._connection.say_goodbye(code, reason)

    def forget(self) -> None:
        self._unsent.clear()
        self._unsent_bytes = 0

    def flush(self) -> None:
        """The transport takes more."""
        can_write = self._connection.writable
        sent = 0
        while sent < len(self._unsent) and can_write.is_set():
            payload, size = self._unsent[sent]
            self._unsent_bytes -= size
            self._write(payload, is_kept=size == 0)
            sent += 1
        del self._unsent[:sent]
        self.is_slow = bool(self._unsent) or not can_write.is_set()
        if self._goodbye is not None and not self._unsent:
            self._connection.say_goodbye(*self._goodbye)

    def _write(self, payload: bytes, *, is_kept: bool) -> None:
        connection = self._connection
        if connection.close_sent or connection.disconnected:
            return
        if is_kept and not self.may_deflate:  # it is large, and the room's own: not copied for every reader
            connection.transport.write(header(len(payload)))
            connection.transport.write(payload)
        else:
            connection.transport.write(framed(payload, self.may_deflate))


class Connection(WebSocketsSansIOProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn.available_extensions = [
            ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
        ]
        self.socket = FastSocket(self)
        self._seat: Seat | None = None
        self._early: list[bytes | None] = []
        """What came while the door was being opened, the last message first."""
        self._unread = b""
        self._passing = 0
        """How much of a frame that has begun is still to come, for uvicorn."""
        self._waiting: asyncio.Task[None] | None = None
        """Nothing is read before it is done."""
        self._is_resting = False
        """It has had its turn, and goes on by itself in the next one."""

    # From the door to the room

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(SLOW_BYTES, SLOW_BYTES // 4)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]  # the app's task has not begun yet
            for extension in self.conn.extensions:
                # A client may ask for a smaller window than the one that everybody's bytes are made with.
                if isinstance(extension, PerMessageDeflate) and extension.local_max_window_bits == zlib.MAX_WBITS:
                    self.socket.may_deflate = True

    def take_over(self, seat: Seat) -> None:
        """From now on messages go straight to the room, and the route may return."""
        self._seat = seat
        del self.scope, self.request, self.response  # a quiet socket is small
        while not self.queue.empty():
            event = self.queue.get_nowait()
            if event["type"] == "websocket.disconnect":
                seat.leave()
                return
            if event["type"] == "websocket.receive":
                text = event.get("text")
                self._early.append(None if text is None else text.encode())
        self._early.reverse()
        self.queue = _NOWHERE
        self.read_paused = False
        self._go_on()

    async def run_asgi(self) -> None:
        """As uvicorn's, but a socket that was taken over outlives the app's call."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        finally:
            if not self.handshake_complete:
                self.send_500_response()
            if self._seat is None and self.close_timer is None:
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.socket.forget()
        if self._waiting is not None:
            self._waiting.cancel()
        if self._seat is not None:
            self._seat.leave()

    # Reading

    def data_received(self, data: bytes) -> None:
        if self._seat is None:
            super().data_received(data)
            return
        if self._passing:
            passed, data = data[: self._passing], data[self._passing :]
            self._passing -= len(passed)
            super().data_received(passed)
        if data:
            self._unread = self._unread + data if self._unread else data
            self._read()

    def _read(self) -> None:
        data, at = self._unread, 0
        for _ in range(TURN_MESSAGES):
            if at >= len(data) or self._waiting is not None or (found := extent(data, at)) is None:
                break
            mask_at, end = found
            if not self._is_plain(data[at], data[at + 1], end - at):
                at = self._pass(data, at, end)
            elif end <= len(data):
                self._take(unmasked(data, mask_at, end), is_deflated=data[at] != TEXT)
                at = end
            else:
                break
        else:
            self._is_resting = True
            self.transport.pause_reading()
            self.loop.call_soon(self._go_on)
        self._unread = data[at:] if at else data

    def _is_plain(self, first: int, second: int, size: int) -> bool:
        """A whole text message of ordinary length: all that people send all day."""
        is_text = first == TEXT or (first == TEXT | DEFLATED and self.socket.may_deflate)
        return is_text and second >= MASKED and size < MAX_PLAIN_BYTES and not self.frames and not self.close_sent

    def _pass(self, data: bytes, at: int, end: int) -> int:
        """To uvicorn, as much of the frame as there is. Answers where the next one begins."""
        self._passing = max(0, end - len(data))
        super().data_received(data[at:end])
        if data[at] & CONTROL and self._seat is not None:  # a flood of pings is a flood
            self._heed(self._seat.charge)
        return min(end, len(data))

    def send_receive_event_to_app(self) -> None:
        if self._seat is None:
            super().send_receive_event_to_app()
            return
        payload, self.frames = b"".join(self.frames), []
        self._heed(self._seat.hear, payload if self.curr_msg_data_type == "text" else None)

    def _take(self, payload: bytes, *, is_deflated: bool) -> None:
        assert self._seat is not None
        if is_deflated:
            try:
                payload = inflated(payload, protocol.MAX_MESSAGE_BYTES)
            except zlib.error:
                self.socket.close(1007, "A message could not be inflated.")
                return
        self._heed(self._seat.hear, payload)

    def _heed(self, ask: Callable[..., Awaitable[None] | None], *what: Any) -> None:
        """Nobody is read faster than the room can take it, or than the budget allows."""
        if self.socket.is_closing or self._seat is None:
            return
        try:
            wait = ask(*what)
        except EaselError as error:
            turn_away(self.socket, error)
            return
        if wait is not None:
            self.transport.pause_reading()
            self._waiting = self._seat.spawn(self._go_on_after(wait))

    async def _go_on_after(self, wait: Awaitable[None]) -> None:
        try:
            await wait
        except EaselError as error:
            turn_away(self.socket, error)
        self._waiting = None
        self._go_on()

    def _go_on(self) -> None:
        self._is_resting = False
        while self._early and self._waiting is None and self._seat is not None:
            self._heed(self._seat.hear, self._early.pop())
        self._read()
        if self._waiting is None and not self._is_resting and not self.transport.is_closing():
            self.transport.resume_reading()

    # Writing

    def pause_writing(self) -> None:
        super().pause_writing()
        self.socket.is_slow = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self.socket.flush()

    # Ending

    def say_goodbye(self, code: int, reason: str) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.read_paused = False
        self.transport.resume_reading()  # for the answer

    def close_soon(self) -> None:
        """A transport that is closed waits until everything is written: for ever, if nobody reads."""
        if self._seat is not None:
            self._seat.leave()
        if self.close_timer is None and not self.disconnected:
            self.close_timer = self.loop.call_later(CLOSING_S, self.transport.abort)

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self.close_soon()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.close_soon()

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
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from app.framing import DEFLATED, TEXT, extent, framed, header, inflated, unmasked
from app.keepalive import Pinged, keepalive_of
from app.sockets import CLOSING_S, MAX_QUEUED_BYTES, SLOW_BYTES, Seat, turn_away
from app.stand_ins import ALWAYS, NAMES, NOWHERE
from canvas import protocol
from canvas.errors import EaselError

EXTENSION = "easel.socket"
MAX_PLAIN_BYTES = 1 << 16  # of a frame; what is longer comes in pieces, which uvicorn puts together
MASKED, CONTROL, PING = 0x80, 0x08, 0x89
TURN_MESSAGES = 64  # that one socket is heard in a row, at most some 2 ms: then all others have their turn


_DEFLATE = [ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)]


def connection_of(scope: Mapping[str, Any]) -> Connection | None:
    """Taken out of the scope, which it holds itself. None: another server than ours runs this app."""
    connection = scope.get("extensions", {}).pop(EXTENSION, None)
    return connection if isinstance(connection, Connection) else None


class FastSocket:
    """`canvas.open_room.Socket`: writes to the transport, and keeps what that does not take."""

    __slots__ = ("_connection", "_goodbye", "_unsent", "_unsent_bytes", "is_slow", "may_deflate")

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        """None: it has ended."""
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
        if self._connection is not None:
            self._connection.close_soon()
            if not self._unsent:
                self._connection.say_goodbye(code, reason)

    def forget(self) -> None:
        self._unsent.clear()
        self._unsent_bytes = 0

    def end(self) -> None:
        """Nothing reaches anybody any more."""
        self.forget()
        self._connection = None

    def flush(self) -> None:
        """The transport takes more."""
        connection = self._connection
        if connection is None:
            return
        sent = 0
        while sent < len(self._unsent) and not connection.is_full:
            payload, size = self._unsent[sent]
            self._unsent_bytes -= size
            self._write(payload, is_kept=size == 0)
            sent += 1
        del self._unsent[:sent]
        self.is_slow = bool(self._unsent) or connection.is_full
        if self._goodbye is not None and not self._unsent:
            connection.say_goodbye(*self._goodbye)

    def _write(self, payload: bytes, *, is_kept: bool) -> None:
        connection = self._connection
        if connection is None or connection.close_sent:
            return
        if is_kept and not self.may_deflate:  # it is large, and the room's own: not copied for every reader
            connection.transport.write(header(len(payload)))
            connection.transport.write(payload)
        else:
            connection.transport.write(framed(payload, self.may_deflate))


class Connection(WebSocketsSansIOProtocol):
    __slots__ = (
        *NAMES,  # a dict of so many names takes 1.5 KiB, of every socket
        *("_conn", "_early", "_extensions", "_is_resting", "_passing", "_pinged_with", "_seat", "_unread", "_waiting"),
        *("is_full", "socket"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._conn: ServerProtocol | None = None
        self._extensions: list[Extension] | None = None
        super().__init__(*args, **kwargs)
        self.conn.available_extensions = _DEFLATE
        self.socket = FastSocket(self)
        self.is_full = False
        """The transport takes no more for now."""
        self._pinged_with: set[Pinged] | None = None
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

    @property
    def conn(self) -> ServerProtocol:
        """The parser of all that is rare. A quiet socket has none: it takes 3 KiB with what it holds on to."""
        if self._conn is None:
            self._conn = ServerProtocol(state=State.OPEN, max_size=self.config.ws_max_size, logger=self.logger)
            self._conn.extensions = self._extensions or []
        return self._conn

    @conn.setter
    def conn(self, conn: ServerProtocol) -> None:
        self._conn = conn

    def _put_away(self) -> None:
        """Between two messages, as long as nobody closes, there is nothing in it that a new one would not have."""
        conn = self._conn
        if conn is None or self._seat is None or self._passing or self.frames:
            return
        if conn.state is State.OPEN and conn.current_size is None:
            self._extensions = conn.extensions or None
            self._conn = None

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
        self.client = self.server = None
        self.writable = ALWAYS
        while not self.queue.empty():
            event = self.queue.get_nowait()
            if event["type"] == "websocket.disconnect":
                seat.leave()
                return
            if event["type"] == "websocket.receive":
                text = event.get("text")
                self._early.append(None if text is None else text.encode())
        self._early.reverse()
        self.queue = NOWHERE
        self.read_paused = False
        self._put_away()
        self.stop_keepalive()
        if self.ping_interval:
            self._pinged_with = keepalive_of(self.loop, self.ping_interval).add(self)
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
        """Lets go of all that knows of it: what holds on to itself in a circle waits for the collector, which stops
        everybody for as long as a few hundred of them take.
        """
        super().connection_lost(exc)
        self.socket.end()
        if self._waiting is not None:
            self._waiting.cancel()
        self._unread, self._early = b"", []
        seat, self._seat = self._seat, None
        if seat is not None:
            seat.leave()

    # Reading

    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated:
            super().data_received(data)
            return
        if self._passing:
            passed, data = data[: self._passing], data[self._passing :]
            self._passing -= len(passed)
            super().data_received(passed)
            self._put_away()
        if data:
            self._unread = self._unread + data if self._unread else data
            if self._seat is None:
                self._read_at_the_door()
            else:
                self._read()

    def _read_at_the_door(self) -> None:
        """Frame by frame, so that a socket that is let in between two halves of one goes on where it was."""
        data, at = self._unread, 0
        while at < len(data) and (found := extent(data, at)) is not None:
            at = self._pass(data, at, found[1])
        self._unread = data[at:]

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
        self._put_away()
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
        self.socket.is_slow = self.is_full = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self.is_full = False
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

    def stop_keepalive(self) -> None:
        super().stop_keepalive()
        if self._pinged_with is not None:
            self._pinged_with.discard(self)
            self._pinged_with = None

    def heartbeat(self, payload: bytes) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        if self.pending_ping_payload is not None:
            self.keepalive_timeout()
            return
        self.pending_ping_payload = payload
        self.transport.write(header(len(payload), PING) + payload)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.close_soon()

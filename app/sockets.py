"""Sockets between the door and the room: `QueuedSocket` for any ASGI server, `app.fast_socket` for our own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from litestar import WebSocket

from canvas import protocol
from canvas.errors import EaselError, Forbidden, LimitReached, NotFound, NotSignedIn, Unavailable
from canvas.hub import Hub
from canvas.open_room import Socket

MAX_QUEUED_BYTES = 8 << 20  # what a slow reader may have waiting: two of the largest messages
SLOW_BYTES = 256 << 10  # from here on frames pass it over: half a second of a crowded room
CLOSING_S = 1.0  # for what is queued before the close; who reads slower than that does not read


class QueuedSocket:
    """A bounded queue and the task that empties it into an ASGI server that we know nothing of."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[tuple[bytes, int] | tuple[int, str]] = asyncio.Queue()
        self._queued_bytes = 0
        self.is_closing = asyncio.Event()

    @property
    def is_slow(self) -> bool:
        return self._queued_bytes > SLOW_BYTES

    def send(self, payload: bytes, *, is_kept: bool = False) -> bool:
        size = 0 if is_kept else len(payload)
        if self._queued_bytes + size > MAX_QUEUED_BYTES and self._queued_bytes:
            return False
        self._queued_bytes += size
        self._queue.put_nowait((payload, size))
        return True

    def close(self, code: int, reason: str) -> None:
        if not self.is_closing.is_set():
            self.is_closing.set()
            if code == protocol.TOO_SLOW:  # what waits would not be read either
                while not self._queue.empty():
                    self._queue.get_nowait()
            self._queue.put_nowait((code, reason))

    async def carry(self) -> None:
        """Send what is queued until the socket closes."""
        while True:
            first, second = await self._queue.get()
            if isinstance(first, int):
                await self._socket.close(first, str(second))
                return
            self._queued_bytes -= int(second)
            await self._socket.send_data(first.decode(), mode="text")


class Seat:
    """Somebody's place in a room: where what they say goes."""

    __slots__ = ("_forget", "_hub", "_session_id", "_workflow_id")

    def __init__(self, hub: Hub, workflow_id: str, session_id: str, forget: Callable[[], None]) -> None:
        """`forget`: nobody asks any more whether what they came in with is still good."""
        self._forget = forget
        self._hub = hub
        self._workflow_id = workflow_id
        self._session_id = session_id

    def hear(self, text: str | bytes | None) -> Awaitable[None] | None:
        return self._hub.hear(self._workflow_id, self._session_id, text)

    def charge(self) -> Awaitable[None] | None:
        return self._hub.charge(self._workflow_id, self._session_id)

    def leave(self) -> None:
        self._forget()
        self._hub.leave(self._workflow_id, self._session_id)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._hub.tasks.spawn(work)


def turn_away(socket: Socket, error: EaselError) -> None:
    """Say why, and close."""
    socket.send(protocol.error_message(error))
    socket.close(_close_code(error), _reason(error.detail))


def _reason(detail: str) -> str:
    """A close frame holds 123 bytes."""
    return detail.encode()[:120].decode(errors="ignore")


def _close_code(error: EaselError) -> int:
    match error:
        case NotSignedIn():
            return protocol.SIGN_IN
        case Unavailable():
            return protocol.GOING_AWAY
        case Forbidden() | NotFound():
            return protocol.FORBIDDEN
        case LimitReached():
            return protocol.ABUSE
        case _:
            return protocol.TOO_LARGE if error.code == "MESSAGE_TOO_LARGE" else protocol.WRONG_PROTOCOL

"""/ws/workflows/{id}: accept, find out who it is, hand the socket to the hub (CONTRACT §5)."""

import asyncio
from typing import Any

import structlog
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect

from app.auth.callers import Caller
from app.compose import Services
from app.routes.access import OPEN
from canvas import protocol
from canvas.access import Role
from canvas.errors import EaselError, Forbidden, Invalid, NotFound, NotSignedIn, Unavailable
from canvas.hub import Hub
from canvas.protocol import Hello

log = structlog.get_logger(__name__)

HELLO_TIMEOUT_S = 5.0  # a socket that says nothing is not kept
MAX_QUEUED_BYTES = 8 << 20  # what a slow reader may have waiting: two of the largest messages
IDLE_S = 90.0  # three pings of a client that pings each 30 s


class QueuedSocket:
    """What the hub sends to, without waiting: a bounded queue and the task that empties it."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[bytes | tuple[int, str]] = asyncio.Queue()
        self._queued_bytes = 0
        self.closing: tuple[int, str] | None = None

    def send(self, payload: bytes) -> bool:
        if self._queued_bytes + len(payload) > MAX_QUEUED_BYTES and self._queued_bytes:
            return False
        self._queued_bytes += len(payload)
        self._queue.put_nowait(payload)
        return True

    def close(self, code: int, reason: str) -> None:
        if self.closing is None:
            self.closing = (code, reason)
            if code == protocol.TOO_SLOW:  # what waits would not be read either
                self._queue = asyncio.Queue()
            self._queue.put_nowait(self.closing)

    async def carry(self) -> None:
        """Send what is queued until the socket closes."""
        while True:
            item = await self._queue.get()
            if isinstance(item, tuple):
                await self._socket.close(item[0], item[1])
                return
            self._queued_bytes -= len(item)
            await self._socket.send_data(item.decode(), mode="text")


@websocket("/ws/workflows/{workflow_id:str}", opt=OPEN)
async def room(socket: WebSocket[Any, Any, Any], services: Services, hub: Hub, workflow_id: str) -> None:
    """One person at one canvas."""
    await socket.accept()
    queued = QueuedSocket(socket)
    carrier = asyncio.create_task(queued.carry(), name="socket")
    receiver = asyncio.create_task(_receive(socket, queued, services, hub, workflow_id), name="room")
    try:
        await asyncio.wait({carrier, receiver}, return_when=asyncio.FIRST_COMPLETED)
        if queued.closing is not None:
            await asyncio.wait({carrier}, timeout=1)
    finally:
        for task in (carrier, receiver):
            task.cancel()
        for outcome in await asyncio.gather(carrier, receiver, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
                log.error("socket.failed", exc_info=outcome)


async def _receive(
    socket: WebSocket[Any, Any, Any], queued: QueuedSocket, services: Services, hub: Hub, workflow_id: str
) -> None:
    session_id: str | None = None
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            caller, role = await _admit(socket, services, workflow_id)
            hello = _hello(await _message(socket))
        session_id = await hub.join(workflow_id, queued, caller.as_user(), role, hello)
        while True:
            text = await _message(socket)
            await hub.receive(workflow_id, session_id, text)
    except TimeoutError:
        queued.close(protocol.SIGN_IN, f"Say hello within {HELLO_TIMEOUT_S:.0f} seconds.")
    except EaselError as error:
        queued.send(protocol.error_message(error))
        queued.close(_close_code(error), error.detail[:120])
    finally:
        if session_id is not None:
            hub.leave(workflow_id, session_id)


async def _admit(socket: WebSocket[Any, Any, Any], services: Services, workflow_id: str) -> tuple[Caller, Role]:
    caller = await services.callers.of_socket(socket.headers, socket.cookies, socket.query_params.get("ticket"))
    if caller is None:
        raise NotSignedIn("Sign in first.")
    membership = await services.workflows.membership(workflow_id, caller.account_id, "read")
    return caller, membership.role


async def _message(socket: WebSocket[Any, Any, Any]) -> str:
    received = await socket.receive_data(mode="text")
    text = str(received)
    if len(text) > protocol.MAX_MESSAGE_BYTES // 4 and len(text.encode()) > protocol.MAX_MESSAGE_BYTES:
        raise Invalid(f"A message has at most {protocol.MAX_MESSAGE_BYTES >> 20} MiB.", code="MESSAGE_TOO_LARGE")
    return text


def _hello(text: str) -> Hello:
    message = protocol.decode_message(text)
    if not isinstance(message, Hello):
        raise Invalid("The first message is hello.", code="HELLO_FIRST")
    if message.protocol != protocol.PROTOCOL:
        raise Invalid(f"This server speaks protocol {protocol.PROTOCOL}; reload the page.", code="WRONG_PROTOCOL")
    return message


def _close_code(error: EaselError) -> int:
    match error:
        case NotSignedIn():
            return protocol.SIGN_IN
        case Unavailable():
            return protocol.GOING_AWAY
        case Forbidden() | NotFound():
            return protocol.FORBIDDEN
        case _:
            return protocol.TOO_LARGE if error.code == "MESSAGE_TOO_LARGE" else protocol.WRONG_PROTOCOL

"""/ws/workflows/{id}: accept, find out who it is, hand the socket to the hub (CONTRACT §5)."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromPath

from app.auth.callers import Caller
from app.compose import Services
from app.routes.access import OPEN, TheHub, TheServices
from canvas import protocol
from canvas.errors import BadRequest, EaselError, Forbidden, Invalid, NotFound, NotSignedIn, Unavailable
from canvas.hub import Hub
from canvas.protocol import Hello
from canvas.store.workflows import Membership
from canvas.values import check_json

log = structlog.get_logger(__name__)

MAX_QUEUED_BYTES = 8 << 20  # what a slow reader may have waiting: two of the largest messages
CLOSING_S = 1.0  # for what is queued before the close; who reads slower than that does not read


class _SilentError(Exception):
    """No hello came: a socket that says nothing is not kept."""


class QueuedSocket:
    """What the hub sends to, without waiting: a bounded queue and the task that empties it."""

    def __init__(self, socket: WebSocket[Any, Any, Any]) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[tuple[bytes, int] | tuple[int, str]] = asyncio.Queue()
        self._queued_bytes = 0
        self.is_closing = asyncio.Event()

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


@websocket("/ws/workflows/{workflow_id:str}", opt=OPEN)
async def room(
    socket: WebSocket[Any, Any, Any], services: TheServices, hub: TheHub, workflow_id: FromPath[str]
) -> None:
    """One person at one canvas."""
    try:
        await socket.accept()
    except OSError:  # what uvicorn raises when the other side has gone
        return
    queued = QueuedSocket(socket)
    carrier = asyncio.create_task(queued.carry(), name="socket")
    receiver = asyncio.create_task(_receive(socket, queued, services, hub, workflow_id), name="room")
    closing = asyncio.create_task(queued.is_closing.wait())
    try:
        await asyncio.wait({carrier, receiver, closing}, return_when=asyncio.FIRST_COMPLETED)
        if queued.is_closing.is_set():
            await asyncio.wait({carrier}, timeout=CLOSING_S)
    finally:
        for task in (carrier, receiver, closing):
            task.cancel()
        for outcome in await asyncio.gather(carrier, receiver, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect | OSError):
                log.error("socket.failed", exc_info=outcome)


async def _receive(
    socket: WebSocket[Any, Any, Any], queued: QueuedSocket, services: Services, hub: Hub, workflow_id: str
) -> None:
    session_id: str | None = None
    try:
        caller, membership = await _admit(socket, services, workflow_id)
        hello = await _first_message(socket, queued, services.settings.hello_seconds)
        session_id = await hub.join(
            workflow_id,
            queued,
            caller.as_user(),
            membership.role,
            hello,
            access=membership.access,
            may_run=membership.may_run,
        )
        while True:
            try:
                text = await _message(socket)
            except BadRequest as error:
                queued.send(protocol.error_message(error))
                continue
            await hub.receive(workflow_id, session_id, text)
    except _SilentError:
        queued.close(protocol.TOO_SLOW, f"Say hello within {services.settings.hello_seconds:g} seconds.")
    except EaselError as error:
        queued.send(protocol.error_message(error))
        queued.close(_close_code(error), _reason(error.detail))
    finally:
        if session_id is not None:
            hub.leave(workflow_id, session_id)


async def _admit(socket: WebSocket[Any, Any, Any], services: Services, workflow_id: str) -> tuple[Caller, Membership]:
    caller = await services.callers.of_socket(socket.headers, socket.cookies, socket.query_params.get("ticket"))
    if caller is None:
        raise NotSignedIn("Sign in first.")
    if "\0" in workflow_id:
        raise NotFound("There is no such workflow, or you have not been invited to it.")
    return caller, await services.workflows.membership(workflow_id, caller.account_id, "read")


async def _first_message(socket: WebSocket[Any, Any, Any], queued: QueuedSocket, patience_s: float) -> Hello:
    try:
        async with asyncio.timeout(patience_s):
            while True:
                try:
                    return _hello(await _message(socket))
                except BadRequest as error:
                    queued.send(protocol.error_message(error))
    except TimeoutError as error:
        raise _SilentError from error


async def _message(socket: WebSocket[Any, Any, Any]) -> str:
    """Raises BadRequest for what is no text, Invalid for what is too large, WebSocketDisconnect at the end."""
    event: Mapping[str, Any] = await socket.receive()
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(detail="The other side has gone.", code=event["code"])
    text = event.get("text")
    if text is None:
        raise BadRequest("Messages are JSON in text frames; this one was binary.", code="BAD_MESSAGE")
    if len(text) > protocol.MAX_MESSAGE_BYTES // 4 and len(text.encode()) > protocol.MAX_MESSAGE_BYTES:
        raise Invalid(f"A message has at most {protocol.MAX_MESSAGE_BYTES >> 20} MiB.", code="MESSAGE_TOO_LARGE")
    return str(text)


def _hello(text: str) -> Hello:
    message = protocol.decode_message(text)
    if not isinstance(message, Hello):
        raise Invalid("The first message is hello.", code="HELLO_FIRST")
    if message.protocol != protocol.PROTOCOL:
        raise Invalid(f"This server speaks protocol {protocol.PROTOCOL}; reload the page.", code="WRONG_PROTOCOL")
    check_json(msgspec.to_builtins(message))  # the numbers and texts that the store is asked with
    return message


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
        case _:
            return protocol.TOO_LARGE if error.code == "MESSAGE_TOO_LARGE" else protocol.WRONG_PROTOCOL

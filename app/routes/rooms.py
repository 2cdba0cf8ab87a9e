"""/ws/workflows/{id}: accept, find out who it is, hand the socket to the hub (CONTRACT §5)."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import structlog
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromPath

from app.auth.callers import Caller
from app.compose import Services
from app.fast_socket import Connection, connection_of
from app.routes.access import OPEN, TheHub, TheServices
from app.sockets import CLOSING_S, QueuedSocket, Seat, turn_away
from canvas import protocol
from canvas.errors import BadRequest, EaselError, Invalid, LimitReached, NotFound, NotSignedIn, Unavailable
from canvas.hub import Hub
from canvas.open_room import Socket
from canvas.protocol import Hello
from canvas.store.workflows import Membership
from canvas.values import check_json

log = structlog.get_logger(__name__)


class _SilentError(Exception):
    """No hello came: a socket that says nothing is not kept."""


@websocket("/ws/workflows/{workflow_id:str}", opt=OPEN)
async def room(
    socket: WebSocket[Any, Any, Any], services: TheServices, hub: TheHub, workflow_id: FromPath[str]
) -> None:
    """One person at one canvas."""
    try:
        await socket.accept()
    except OSError:  # what uvicorn raises when the other side has gone
        return
    door = _Door(socket, services, hub, workflow_id)
    connection = connection_of(socket.scope)
    if connection is not None:
        await door.hand_over(connection)
    else:
        await door.serve()


class _Door:
    """Lets one socket in, and, where the server is not ours, carries its messages."""

    def __init__(self, socket: WebSocket[Any, Any, Any], services: Services, hub: Hub, workflow_id: str) -> None:
        self._socket = socket
        self._services = services
        self._hub = hub
        self._workflow_id = workflow_id

    async def hand_over(self, connection: Connection) -> None:
        """To the transport itself."""
        try:
            seat = await self._let_in(connection.socket)
        except WebSocketDisconnect:
            return
        except Exception:  # Litestar closes the socket, and says nothing
            log.exception("socket.failed")
            raise
        finally:
            del self._socket.receive, self._socket.send  # each holds on to the socket, and it on to them
        if seat is not None:
            connection.take_over(seat)

    async def serve(self) -> None:
        """Until it ends, with two tasks between the server and the room."""
        queued = QueuedSocket(self._socket)
        carrier = asyncio.create_task(queued.carry(), name="socket")
        receiver = asyncio.create_task(self._receive(queued), name="room")
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

    async def _receive(self, queued: QueuedSocket) -> None:
        seat = await self._let_in(queued)
        if seat is None:
            return
        try:
            while True:
                wait = seat.hear(await _message(self._socket))
                if wait is not None:
                    await wait
        except EaselError as error:
            turn_away(queued, error)
        finally:
            seat.leave()

    async def _let_in(self, line: Socket) -> Seat | None:
        """None: it was told why not. Raises WebSocketDisconnect."""
        patience_s = self._services.settings.hello_seconds
        try:
            caller, membership = await _admit(self._socket, self._services, self._workflow_id)
            hello = await _first_message(self._socket, line, patience_s)
            session_id = await self._hub.join(
                self._workflow_id,
                line,
                caller.as_user(),
                membership.role,
                hello,
                access=membership.access,
                may_run=membership.may_run,
                at_most="viewer" if caller.is_read_only else "owner",
                is_limited=caller.via != "admin",
                for_s=(caller.expires_at - datetime.now(UTC)).total_seconds() if caller.expires_at else None,
            )
        except _SilentError:
            line.close(protocol.TOO_SLOW, f"Say hello within {patience_s:g} seconds.")
        except EaselError as error:
            turn_away(line, error)
        else:
            over = partial(line.close, protocol.SIGN_IN, "What you signed in with is good no longer. Sign in again.")
            forget = self._services.proofs.watch(caller.proof, over)
            return Seat(self._hub, self._workflow_id, session_id, forget)
        return None


async def _admit(socket: WebSocket[Any, Any, Any], services: Services, workflow_id: str) -> tuple[Caller, Membership]:
    address = socket.client.host if socket.client else None
    try:
        services.rates.check_refusals(address)  # guessing is as slow here as over HTTP
    except LimitReached as error:  # 4000: an innocent neighbour in that network may come back; 45xx would stop them
        raise Unavailable(error.detail) from error
    try:
        caller = await services.callers.of_socket(socket.headers, socket.cookies, socket.query_params.get("ticket"))
    except NotSignedIn:
        await services.rates.count_refusal(address)
        raise
    if caller is None:
        raise NotSignedIn("Sign in first.")
    if "\0" in workflow_id:
        raise NotFound("There is no such workflow, or you have not been invited to it.")
    return caller, await services.workflows.membership(workflow_id, caller.account_id, "read")


async def _first_message(socket: WebSocket[Any, Any, Any], line: Socket, patience_s: float) -> Hello:
    try:
        async with asyncio.timeout(patience_s):
            while True:
                try:
                    return _hello(await _message(socket))
                except BadRequest as error:
                    line.send(protocol.error_message(error))
    except TimeoutError as error:
        raise _SilentError from error


async def _message(socket: WebSocket[Any, Any, Any]) -> bytes | None:
    """None: it was binary. Raises WebSocketDisconnect at the end."""
    event: Mapping[str, Any] = await socket.receive()
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(detail="The other side has gone.", code=event["code"])
    text = event.get("text")
    return None if text is None else text.encode()


def _hello(text: bytes | None) -> Hello:
    protocol.check_size(len(text or b""))
    message = protocol.decode_message(text)
    if not isinstance(message, Hello):
        raise Invalid("The first message is hello.", code="HELLO_FIRST")
    if message.protocol != protocol.PROTOCOL:
        raise Invalid(f"This server speaks protocol {protocol.PROTOCOL}; reload the page.", code="WRONG_PROTOCOL")
    check_json(msgspec.to_builtins(message))  # the numbers and texts that the store is asked with
    return message

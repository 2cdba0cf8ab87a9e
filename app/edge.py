"""What every answer goes through on its way out, whoever made it: Litestar, its error handlers, its static files."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars

from app.observe.metrics import count_request
from jobs.tracing import Span, span

log = structlog.get_logger(__name__)

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# React Flow places nodes with style attributes set by script, which CSP does not count as inline.
_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:{pictures}; connect-src 'self'{sockets}{uploads}; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_LINKS = (
    "/login",
    "/s/",
)  # whoever only looks (a chat's link preview) must not use a login link up, nor become a guest


_HARMLESS_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Edge:
    """An ASGI application around another one: security headers and a request's id on all answers, and HEAD wherever GET
    works.

    The id is the caller's own X-Request-Id, if it is a harmless one; every log line of the request carries it.
    """

    def __init__(self, app: App, *, base_url: str, cdn_url: str | None = None, store_url: str | None = None) -> None:
        """`store_url`: where pages send uploads straight to, and where signed links show pictures."""
        self._app = app
        cdn, store = _source(cdn_url), _source(store_url)
        sockets = _source(base_url.replace("http", "ws", 1))  # 'self' has them too, but not in every browser
        policy = _PAGE_POLICY.format(pictures=cdn + store, sockets=sockets, uploads=store)
        self._headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"content-security-policy", policy.encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        began = time.perf_counter()
        request_id = _request_id(scope)
        bind_contextvars(request=request_id)

        # A link, no parent: anybody may say anything here, and what is traced is not for callers to decide (TR1).
        with span(scope["method"], kind="server", link=_header(scope, b"traceparent"), request=request_id) as this:

            async def send_guarded(message: Message) -> None:
                if message["type"] == "http.response.start":
                    seconds = time.perf_counter() - began
                    count_request(scope["method"], message["status"], seconds)
                    _note(this, scope, message["status"])
                    self._guard(scope, message, request_id)
                    log.debug(
                        "request.answered",
                        method=scope["method"],
                        path=scope["path"],
                        status=message["status"],
                        seconds=round(seconds, 4),
                    )
                await send(message)

            if scope["method"] == "HEAD" and not scope["path"].startswith(_LINKS):
                await self._app({**scope, "method": "GET"}, _Disconnecting(receive), _without_body(send_guarded))
            else:
                await self._app(scope, receive, send_guarded)

    def _guard(self, scope: Scope, message: Message, request_id: str) -> None:
        headers = [(b"x-request-id", request_id.encode())]
        headers += [each for each in message["headers"] if each[0].lower() != b"x-request-id"]
        said = {name.lower() for name, _ in headers}
        headers += [each for each in self._headers if each[0] not in said]  # a stored picture has a stricter policy
        if scope["path"].startswith("/api/") and b"cache-control" not in said:
            headers.append((b"cache-control", b"private, no-cache"))  # kept for its ETag at most, never by a proxy
        message["headers"] = headers


def _note(this: Span, scope: Scope, status: int) -> None:
    if (path := scope.get("path_template")) is not None:  # as routing knows it: ids are no part of a name
        this.name(f"{scope['method']} {path}")
    this.note(status=status)
    if status >= 500:
        this.fail(str(status))


def _header(scope: Scope, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), None)


def _request_id(scope: Scope) -> str:
    given = _header(scope, b"x-request-id") or ""
    return given if _HARMLESS_ID.fullmatch(given) else secrets.token_hex(8)


def _source(url: str | None) -> str:
    """What CSP takes for everything under an address: the bucket, and not its neighbours on the same host."""
    if not url:
        return ""
    return " " + url.partition("?")[0].rstrip("/").replace(";", "%3B").replace(",", "%2C") + "/"


class _Disconnecting:
    """Tells a stream that its listener has gone, as soon as it has been asked for: HEAD wants its headers only."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_asked = False

    async def __call__(self) -> Message:
        if self._has_asked:
            return {"type": "http.disconnect"}
        self._has_asked = True
        return await self._receive()


def _without_body(send: Send) -> Send:
    has_ended = False

    async def send_head(message: Message) -> None:
        nonlocal has_ended
        if message["type"] == "http.response.start":
            await send(message)
        elif not has_ended:
            has_ended = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head

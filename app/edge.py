"""What every answer goes through on its way out, whoever made it: Litestar, its error handlers, its static files."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from litestar.datastructures import MutableScopeHeaders

from app.observe.metrics import count_request

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# React Flow places nodes with style attributes set by script, which CSP does not count as inline.
_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:{cdn}; connect-src 'self' ws: wss:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_LINKS = (
    "/login",
    "/s/",
)  # whoever only looks (a chat's link preview) must not use a login link up, nor become a guest


class Edge:
    """An ASGI application around another one: security headers on all answers, and HEAD wherever GET works."""

    def __init__(self, app: App, *, cdn_url: str | None = None) -> None:
        self._app = app
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Content-Security-Policy": _PAGE_POLICY.format(cdn=f" {cdn_url}" if cdn_url else ""),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        began = time.perf_counter()

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                count_request(scope["method"], message["status"], time.perf_counter() - began)
                self._guard(scope, message)
            await send(message)

        if scope["method"] == "HEAD" and not scope["path"].startswith(_LINKS):
            await self._app({**scope, "method": "GET"}, _Disconnecting(receive), _without_body(send_guarded))
        else:
            await self._app(scope, receive, send_guarded)

    def _guard(self, scope: Scope, message: Message) -> None:
        headers = MutableScopeHeaders(message)  # type: ignore[arg-type]  # a message has headers as a scope has
        for name, value in self._headers.items():
            if name not in headers:  # a stored picture has a stricter policy of its own
                headers[name] = value
        if scope["path"].startswith("/api/") and "Cache-Control" not in headers:
            headers["Cache-Control"] = "private, no-cache"  # kept for its ETag at most, and never by a proxy


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

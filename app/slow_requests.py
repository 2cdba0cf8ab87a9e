"""uvicorn's HTTP/1.1 protocol, which waits for nobody for ever: not for a request's head, nor for the rest of its body.

uvicorn itself only ends connections that are quiet between two requests; whoever sends half a head, or a byte of a body
now and then (slow loris), would hold a connection, its memory and a task as long as they like.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_S = 5.0  # from the connection, or a request's first byte, until its head is complete
WINDOW_S = 10.0
WINDOW_BYTES = 10_000  # that a body brings in a window, while we read: slower than any line that people use
_TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 35\r\n"
    b"connection: close\r\n\r\nThe request came too slowly. Again?"
)


class Requests(HttpToolsProtocol):
    """One connection. A request that comes in one piece, as nearly all do, costs no timer."""

    _timer: asyncio.TimerHandle | None = None
    _has_begun = False
    _is_in_head = True
    _window_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_S, self._end)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._window_bytes += len(data)
        if self._timer is None and not self.transport.is_closing():
            if self._is_in_head:
                self._timer = self.loop.call_later(HEAD_S, self._end)
            elif self._waits_for_body:
                self._window_bytes = 0
                self._timer = self.loop.call_later(WINDOW_S, self._look_at_body)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._has_begun = self._is_in_head = True

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop()  # from here on app.fast_socket looks after it
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # it holds on to us: a cycle, which only the collector would find

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The request under way; uvicorn's own annotation forgets that there may be none."""
        return None if self._is_in_head else self.cycle

    @property
    def _waits_for_body(self) -> bool:
        cycle = self._cycle
        return cycle is not None and cycle.more_body and not cycle.response_complete

    def _look_at_body(self) -> None:
        self._timer = None
        if not self._waits_for_body:
            return
        if self._window_bytes < WINDOW_BYTES and not self.flow.read_paused:
            self._end()
            return
        self._window_bytes = 0
        self._timer = self.loop.call_later(WINDOW_S, self._look_at_body)

    def _end(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        cycle = self._cycle
        if self._has_begun and (cycle is None or not cycle.response_started):
            self.transport.write(_TIMEOUT)  # a browser's spare connection is closed without a word
        self.transport.close()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

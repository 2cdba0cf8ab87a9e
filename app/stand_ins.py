"""What stays of uvicorn's part in a socket that it has handed over, so that a quiet one is small."""

from __future__ import annotations

import asyncio
from typing import Any

NAMES = (
    "app",
    "app_state",
    "asgi_version",
    "client",
    "close_sent",
    "close_timeout",
    "close_timer",
    "config",
    "connections",
    "curr_msg_data_type",
    "default_headers",
    "disconnected",
    "frames",
    "handshake_complete",
    "handshake_initiated",
    "initial_response",
    "last_ping_rtt",
    "logger",
    "loop",
    "pending_ping_payload",
    "ping_interval",
    "ping_sent_at",
    "ping_timeout",
    "ping_timer",
    "pong_timer",
    "queue",
    "read_paused",
    "request",
    "response",
    "root_path",
    "scheme",
    "scope",
    "server",
    "tasks",
    "transport",
    "writable",
)
"""What uvicorn knows a socket by, for its slots."""


class _Nowhere(asyncio.Queue[Any]):
    """Where uvicorn's news of a socket goes once no app waits for it."""

    def __init__(self) -> None:
        pass

    def put_nowait(self, item: Any) -> None:
        pass


class _Always(asyncio.Event):
    """What uvicorn waits for before it writes, once it writes nothing more."""

    def __init__(self) -> None:
        pass

    def set(self) -> None:
        pass

    def clear(self) -> None:
        pass


NOWHERE, ALWAYS = _Nowhere(), _Always()

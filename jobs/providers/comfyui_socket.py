"""What ComfyUI tells on its WebSocket while it draws, and how that is shown. (image-jobs.md §1.7)

Nothing here is believed: that an order has ended is read from the history.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from jobs.providers.port import Order, Progress

MAX_FRAME_BYTES = 64 << 20  # a preview can be a whole picture
MAX_PREVIEW_BYTES = 1 << 20  # larger ones are no previews
OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 1.0  # there is nothing more to hear

_FEATURES = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
_PREVIEW, _PREVIEW_WITH_METADATA = 1, 4
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF")


class Step(msgspec.Struct, frozen=True):
    """A node is at work; `steps` is 0 when it does not say how far."""

    node: str
    step: int = 0
    steps: int = 0


class Preview(msgspec.Struct, frozen=True):
    picture: bytes


class Ended(msgspec.Struct, frozen=True):
    """In whichever way."""


News = Step | Preview | Ended


async def open_socket(base: httpx.URL, client_id: str) -> ClientConnection | None:
    """None when it cannot be opened: then there is still the history to look at."""
    scheme = "wss" if base.scheme == "https" else "ws"
    url = base.copy_with(scheme=scheme, path=f"{base.path.rstrip('/')}/ws", params={"clientId": client_id})
    try:
        socket = await connect(
            str(url),
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_FRAME_BYTES,
            proxy=None,
            user_agent_header="easel",
        )
        await socket.send(_FEATURES)
    except (OSError, InvalidHandshake, ConnectionClosed):  # asyncio's TimeoutError is an OSError, too
        return None
    return socket


async def listen(socket: ClientConnection, prompt_id: str, display: Display, silence_s: float) -> None:
    """Until the order has ended, or nothing more is to be heard."""
    while True:
        try:
            async with asyncio.timeout(silence_s):
                frame = await socket.recv()
        except (TimeoutError, ConnectionClosed):
            return
        news = read_frame(frame, prompt_id)
        if isinstance(news, Ended):
            return
        if news is not None:
            await display.show(news)


class Display:
    """An order's progress, which never goes back: a graph may have several nodes that count."""

    def __init__(self, order: Order, titles: Mapping[str, str]) -> None:
        self._order = order
        self._titles = titles
        self._shown = Progress(0, "In line at ComfyUI")

    async def show(self, news: Step | Preview | None) -> None:
        match news:
            case Step():
                percent = min(99, 100 * news.step // news.steps) if news.steps else 0
                title = self._titles.get(news.node, "Drawing")
                self._shown = Progress(
                    percent=max(self._shown.percent, percent),
                    message=f"{title}, step {news.step} of {news.steps}" if news.steps > 1 else title,
                    step=news.step if news.steps > 1 else None,
                    steps=news.steps if news.steps > 1 else None,
                )
                await self._order.report(self._shown)
            case Preview():
                await self._order.report(msgspec.structs.replace(self._shown, preview=news.picture))
            case None:
                await self._order.report(self._shown)


def read_frame(frame: str | bytes, prompt_id: str) -> News | None:
    """None: it is of another order, or of no interest, or nonsense."""
    try:
        return _read_text(frame, prompt_id) if isinstance(frame, str) else _read_binary(frame, prompt_id)
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, struct.error):
        return None


def _read_text(frame: str, prompt_id: str) -> News | None:
    message = json.loads(frame)
    data: dict[str, Any] = message.get("data", {})
    # Without one it is of this order as well: a client's id is its order's, and after a reconnect some come without.
    if data.get("prompt_id", prompt_id) != prompt_id:
        return None
    match message.get("type"):
        case "executing":
            node = data.get("node")
            return Ended() if node is None else Step(str(node))
        case "progress" if isinstance(data.get("node"), str):
            return Step(data["node"], int(data["value"]), int(data["max"]))
        case _:
            return None


def _read_binary(frame: bytes, prompt_id: str) -> Preview | None:
    [event, second] = struct.unpack_from(">II", frame)
    if event == _PREVIEW:
        picture = frame[8:]
    elif event == _PREVIEW_WITH_METADATA:
        if json.loads(frame[8 : 8 + second]).get("prompt_id", prompt_id) != prompt_id:
            return None
        picture = frame[8 + second :]
    else:
        return None
    return Preview(picture) if len(picture) <= MAX_PREVIEW_BYTES and picture.startswith(_PICTURES) else None

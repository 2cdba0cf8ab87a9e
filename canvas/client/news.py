"""What a canvas tells those who listen, and the bounded queue in which it waits for them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import msgspec

from canvas.protocol import Transaction

MAX_UNREAD = 1_000


class _Tagged(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower, rename="camel"):
    """As JSON: `{"type": "edited", …}`."""


class Connected(_Tagged, frozen=True):
    """The document is whole and live, for the first time or again. `people` are the others who are here."""

    seq: int
    role: str
    people: list[dict[str, Any]]


class Disconnected(_Tagged, frozen=True):
    """It is tried again in `retry_s` seconds. Pushes wait."""

    reason: str
    retry_s: float


class Edited(_Tagged, frozen=True):
    """Somebody else's transaction, or one of this client's own whose answer was lost with a connection."""

    transaction: Transaction


class Reloaded(_Tagged, frozen=True):
    """The document came anew and whole: what happened since the last news is not told one by one."""

    seq: int


class Joined(_Tagged, frozen=True):
    session_id: str
    user: dict[str, Any]


class Left(_Tagged, frozen=True):
    session_id: str
    user: dict[str, Any]


class Shown(_Tagged, frozen=True):
    """Presence keys that changed: `cursor`, `selection`, `drag`, `viewport`, `editing`; None: gone."""

    session_id: str
    user: dict[str, Any]
    keys: dict[str, Any]


class Ran(_Tagged, frozen=True):
    """A run moved on. Everything that is known of it, not only what changed."""

    run: dict[str, Any]


class Skipped(_Tagged, frozen=True):
    """So many news were not read in time and are left out; `canvas.graph` is right all the same."""

    count: int


News = Connected | Disconnected | Edited | Reloaded | Joined | Left | Shown | Ran | Skipped


class Listening:
    """News for one listener, from the moment it was made: `async for news in canvas.news()`."""

    def __init__(self) -> None:
        self._unread: deque[News] = deque()
        self._skipped = 0
        self._has_news = asyncio.Event()
        self._is_over = False
        self._error: Exception | None = None

    def tell(self, news: News) -> None:
        if len(self._unread) >= MAX_UNREAD:
            self._unread.popleft()
            self._skipped += 1
        self._unread.append(news)
        self._has_news.set()

    def end(self, error: Exception | None) -> None:
        """`error`: what ended the connection; None: its owner closed it."""
        self._is_over, self._error = True, error
        self._has_news.set()

    def __aiter__(self) -> Listening:
        return self

    async def __anext__(self) -> News:
        while not self._unread:
            if self._error is not None:
                raise self._error
            if self._is_over:
                raise StopAsyncIteration
            self._has_news.clear()
            await self._has_news.wait()
        if self._skipped:
            skipped, self._skipped = self._skipped, 0
            return Skipped(skipped)
        return self._unread.popleft()

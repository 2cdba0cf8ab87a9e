"""What the doctor finds, and what it looks at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import httpx
from redis.asyncio import Redis

from app.embedded.datadir import State
from app.settings import Settings
from canvas.store.postgres import Connection

PATIENCE_S = 3.0
_MARKS = {"well": "✓", "ill": "✗", "unknown": "–"}


class Finding(NamedTuple):
    state: Literal["well", "ill", "unknown"]
    """`unknown`: something else has to be put right before anybody can tell."""
    name: str
    says: str

    @property
    def is_well(self) -> bool:
        return self.state != "ill"

    def line(self) -> str:
        return f"{_MARKS[self.state]} {self.name:10} {self.says}"


class IllError(Exception):
    """What is wrong and what to do, in a sentence or two."""


class UnknownError(Exception):
    """Why nobody can tell yet, in a sentence."""


class Ground(NamedTuple):
    """What the checks stand on, opened once. What could not be opened is None: its own check says why."""

    settings: Settings
    state: State | None
    """Of the `easel up` that runs on the data folder."""
    database: Connection | None
    redis: Redis | None
    http: httpx.AsyncClient
    now: Callable[[], datetime]

    @property
    def database_url(self) -> str | None:
        return self.settings.database_url or (self.state.database_url if self.state else None)

    @property
    def redis_url(self) -> str | None:
        return self.settings.redis_url or (self.state.redis_url if self.state else None)

    def reached_database(self) -> Connection:
        """Raises UnknownError."""
        if self.database is not None:
            return self.database
        if self.database_url is None:
            raise UnknownError("`easel up` brings a database.")
        raise UnknownError("Without the database nobody can tell.")

    def reached_redis(self) -> Redis:
        """Raises UnknownError."""
        if self.redis is not None:
            return self.redis
        if self.redis_url is None:
            raise UnknownError("`easel up` brings a Redis.")
        raise UnknownError("Without Redis nobody can tell.")


Check = Callable[[Ground], Awaitable[str]]
"""What is well, in a sentence. Raises IllError, UnknownError, and errors of what it calls that are sentences too."""


def all_of(wrong: list[str], well: str) -> str:
    """Raises IllError with everything that is wrong."""
    if wrong:
        raise IllError(" ".join(wrong))
    return well


def is_address(url: str) -> bool:
    """Whether it can be asked: none with a bracket that is left open, or a control character."""
    try:
        parts = urlsplit(url)
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
